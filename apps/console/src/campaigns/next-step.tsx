import type { Campaign } from '../api/wire.js';
import { When } from '../shell/when.js';
import { useWords } from '../shell/words.js';

/** What comes next, and from whom. */
export function NextStep({ campaign: { status, start, end, approvals, required } }: { campaign: Campaign }) {
  const { t } = useWords();
  switch (status) {
    case 'draft':
      return <>{t('next.draft')}</>;
    case 'in-review':
      return <>{t('next.review', { given: approvals.length, required })}</>;
    case 'approved':
      return <>{t('next.approved')}</>;
    case 'scheduled':
      return (
        <>
          {t('next.starts')} {start !== null && <When at={start} />}
        </>
      );
    case 'running':
      return end === null ? (
        <>{t('next.runs')}</>
      ) : (
        <>
          {t('next.ends')} <When at={end} />
        </>
      );
    case 'paused':
      return <>{t('next.paused')}</>;
    case 'halted':
      return <>{t('next.halted')}</>;
    case 'draining':
      return <>{t('next.draining')}</>;
    default:
      return <span className="quiet">–</span>;
  }
}
