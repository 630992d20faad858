import { useQuery } from '@tanstack/react-query';
import { Link, useParams, useSearch } from '@tanstack/react-router';
import { campaignQuery, progressQuery } from '../api/queries.js';
import type { Campaign } from '../api/wire.js';
import { useAsOf, useMay } from '../session/session.js';
import { Answer } from '../shell/answer.js';
import { AsOfSlider } from '../shell/as-of.js';
import { CopyLine } from '../shell/copy-line.js';
import { LinkButton } from '../shell/link-button.js';
import { PageHead } from '../shell/page-head.js';
import { useWords } from '../shell/words.js';
import { AuditPanel } from './audit-panel.js';
import { CampaignActs } from './campaign-acts.js';
import { CampaignState } from './campaign-state.js';
import { FunnelTable } from './funnel-table.js';
import { LostPanel } from './lost-panel.js';
import { NextStep } from './next-step.js';
import { RateChart } from './rate-chart-lazy.js';
import { ReviewPanel } from './review-panel.js';
import { SettingsPanel } from './settings-panel.js';
import { WavesPanel } from './waves-panel.js';

export function CampaignPage() {
  const { t } = useWords();
  const { campaignId } = useParams({ from: '/inside/campaigns/$campaignId' });
  const query = useQuery(campaignQuery(campaignId));
  return (
    <Answer of={query} title={t('nav.campaigns')}>
      {(campaign) => <OneCampaign campaign={campaign} />}
    </Answer>
  );
}

/** An hour before the start is as far back as the slider goes. */
const BEFORE_MS = 3_600_000;
const DAY_MS = 86_400_000;

function OneCampaign({ campaign }: { campaign: Campaign }) {
  const { t } = useWords();
  const { campaignId, name, status, start } = campaign;
  const asOf = useAsOf();
  const may = useMay();
  const { lost } = useSearch({ from: '/inside/campaigns/$campaignId' });
  const progress = useQuery(progressQuery(campaignId, asOf));
  const then = asOf === undefined ? status : (progress.data?.status ?? 'none');
  const from = start === null ? Date.now() - DAY_MS : Math.min(Date.parse(start), Date.now()) - BEFORE_MS;
  const isDraft = ['draft', 'in-review', 'approved'].includes(status);
  const acts = (
    <>
      {isDraft && may('campaign:write') && (
        <LinkButton to="/campaigns/$campaignId/edit" params={{ campaignId }} variant="default">
          {t('act.edit')}
        </LinkButton>
      )}
      <CampaignActs campaign={campaign} progress={progress.data} />
    </>
  );
  return (
    <>
      <PageHead
        title={name}
        isName
        crumb={<Link to="/campaigns">{t('nav.campaigns')}</Link>}
        state={<CampaignState status={then} />}
        acts={acts}
      />
      <p className="quiet">{asOf === undefined && <NextStep campaign={campaign} />}</p>
      <div className="column">
        {isDraft && <ReviewPanel campaign={campaign} />}
        {!isDraft && (
          <section className="card" aria-label={t('past.slider')}>
            <AsOfSlider from={from} asOf={asOf} />
          </section>
        )}
        <div className="split">
          <div className="column">
            {!isDraft && (
              <section className="card">
                <h2>{t('funnel.title')}</h2>
                <Answer of={progress}>{(data) => <FunnelTable progress={data} />}</Answer>
              </section>
            )}
            {lost !== undefined && <LostPanel campaignId={campaignId} lost={lost} />}
            {!isDraft && <RateChart campaignId={campaignId} asOf={asOf} />}
            <AuditPanel campaignId={campaignId} asOf={asOf} />
          </div>
          <div className="column">
            <WavesPanel campaign={campaign} />
            <SettingsPanel campaign={campaign} />
            <section className="card">
              <h2>{t('copy.cli')}</h2>
              <CopyLine line={`npm run -s muster -- campaign watch ${campaignId}`} />
            </section>
          </div>
        </div>
      </div>
    </>
  );
}
