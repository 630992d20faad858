import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { campaignsQuery, projectionsQuery } from '../api/queries.js';
import type { Campaign } from '../api/wire.js';
import { CampaignState } from '../campaigns/campaign-state.js';
import { ProgressCell } from '../campaigns/progress-cell.js';
import { useLive } from '../live/live.js';
import { useMay, useMe } from '../session/session.js';
import { Answer } from '../shell/answer.js';
import { LinkButton } from '../shell/link-button.js';
import { PageHead } from '../shell/page-head.js';
import { When } from '../shell/when.js';
import { useWords } from '../shell/words.js';
import { FirstSteps } from './first-steps.js';
import { needsYou } from './needs-you.js';

/** What runs, what went wrong, how far behind it is, and what waits for whoever looks. */
export function OverviewPage() {
  const { t } = useWords();
  const query = useInfiniteQuery(campaignsQuery);
  return (
    <>
      <PageHead title={t('nav.overview')} />
      <Answer of={query}>
        {({ pages }) => {
          const campaigns = pages.flatMap(({ items }) => items);
          return campaigns.length === 0 ? <FirstSteps /> : <Overview campaigns={campaigns} />;
        }}
      </Answer>
    </>
  );
}

function Overview({ campaigns }: { campaigns: Campaign[] }) {
  return (
    <div className="split">
      <div className="column">
        <NeedsYou campaigns={campaigns} />
        <Running campaigns={campaigns} />
      </div>
      <div className="column">
        <Feed />
        <Lag />
      </div>
    </div>
  );
}

function NeedsYou({ campaigns }: { campaigns: Campaign[] }) {
  const { t } = useWords();
  const me = useMe();
  const may = useMay();
  const waiting = needsYou(campaigns, may, `${me.kind}:${me.id}`);
  return (
    <section className="card">
      <h2>{t('overview.needsYou')}</h2>
      {waiting.length === 0 ? (
        <p className="quiet">{t('overview.nothing')}</p>
      ) : (
        <ul className="plain-list waves">
          {waiting.map(({ campaign: { campaignId, name, status }, what }) => (
            <li key={campaignId}>
              <CampaignState status={status} />{' '}
              <Link to="/campaigns/$campaignId" params={{ campaignId }} translate="no">
                {name}
              </Link>{' '}
              – {t(`overview.${what}`)}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

/** So many are shown; the list has the others. */
const SHOWN = 8;

function Running({ campaigns }: { campaigns: Campaign[] }) {
  const { t } = useWords();
  const may = useMay();
  const running = campaigns.filter(({ status }) => status === 'running' || status === 'draining');
  return (
    <section className="card">
      <div className="card-head">
        <h2>{t('overview.running')}</h2>
        {may('campaign:write') && (
          <LinkButton to="/campaigns/new" size="compact-sm" variant="default">
            {t('campaigns.new')}
          </LinkButton>
        )}
      </div>
      {running.length === 0 && <p className="quiet">{t('overview.noneRuns')}</p>}
      <ul className="plain-list waves">
        {running.slice(0, SHOWN).map((campaign) => (
          <li key={campaign.campaignId}>
            <Link to="/campaigns/$campaignId" params={{ campaignId: campaign.campaignId }} translate="no">
              {campaign.name}
            </Link>
            <ProgressCell campaign={campaign} />
          </li>
        ))}
      </ul>
      <p>
        <Link to="/campaigns">{t('overview.all')}</Link>
      </p>
    </section>
  );
}

function Feed() {
  const { t } = useWords();
  const { trouble } = useLive();
  return (
    <section className="card">
      <h2>{t('overview.feed')}</h2>
      {trouble.length === 0 && <p className="quiet">{t('overview.feedEmpty')}</p>}
      <ol className="plain-list audit">
        {trouble.slice(0, SHOWN).map(({ id, name, topic, subject, receivedAt, data }) => {
          const { campaignId, reason, code } = data as Record<string, unknown>;
          const isDevice = topic === 'muster.device';
          return (
            <li key={id}>
              <strong translate="no">{name}</strong>{' '}
              {isDevice ? (
                <Link to="/devices/$deviceId" params={{ deviceId: subject }}>
                  {t('overview.device')}
                </Link>
              ) : (
                topic === 'muster.campaign' && (
                  <Link to="/campaigns/$campaignId" params={{ campaignId: subject }}>
                    {t('overview.campaign')}
                  </Link>
                )
              )}{' '}
              {isDevice && typeof campaignId === 'string' && (
                <Link to="/campaigns/$campaignId" params={{ campaignId }}>
                  {t('overview.campaign')}
                </Link>
              )}{' '}
              {[reason, code]
                .filter((each) => typeof each === 'string')
                .map((each) => (
                  <q key={each} className="wrap" translate="no">
                    {each}
                  </q>
                ))}
              <div className="quiet">
                <When at={receivedAt} />
              </div>
            </li>
          );
        })}
      </ol>
    </section>
  );
}

function Lag() {
  const { t, count } = useWords();
  const query = useQuery(projectionsQuery);
  return (
    <section className="card">
      <h2>{t('overview.lag')}</h2>
      <Answer of={query}>
        {({ items }) => {
          const seconds = Math.max(0, ...items.map(({ lagSeconds }) => lagSeconds));
          const stopped = items.filter(({ state, parked }) => state === 'stopped' || parked > 0);
          return (
            <>
              <div className="figure">{t('overview.seconds', { count: Math.round(seconds) })}</div>
              <p className="quiet">{t('overview.lagHint', { models: count(items.length) })}</p>
              {stopped.map(({ name }) => (
                <p key={name} className="state" data-tone="bad">
                  {t('overview.stopped', { name })}
                </p>
              ))}
              <Link to="/operations">{t('nav.operations')}</Link>
            </>
          );
        }}
      </Answer>
    </section>
  );
}
