import { useQuery } from '@tanstack/react-query';
import { progressQuery } from '../api/queries.js';
import type { Campaign } from '../api/wire.js';
import { useWords } from '../shell/words.js';

/** Where nothing can have happened yet, nothing is asked. */
const BEFORE: readonly Campaign['status'][] = ['none', 'draft', 'in-review', 'approved', 'scheduled'];

/** Confirmed of those that fit. */
export function ProgressCell({ campaign: { campaignId, status, name } }: { campaign: Campaign }) {
  const { t, count, percent } = useWords();
  const { data } = useQuery({ ...progressQuery(campaignId), enabled: !BEFORE.includes(status) });
  if (BEFORE.includes(status) || data === undefined) return <span className="quiet">–</span>;
  const { matched, confirmed } = data.funnel;
  const share = matched === 0 ? 0 : confirmed / matched;
  const lost = data.dropped.filter(({ kind }) => kind === 'failed').reduce((sum, { devices }) => sum + devices, 0);
  return (
    <div>
      <progress className="bar-progress" value={share} max={1} aria-label={t('campaigns.progressOf', { name })} />
      <span className="quiet" translate="no">
        {` ${count(confirmed)} / ${count(matched)} · ${percent(share)}`}
      </span>
      {lost > 0 && <span className="failed-count">{t('campaigns.failed', { count: lost })}</span>}
    </div>
  );
}
