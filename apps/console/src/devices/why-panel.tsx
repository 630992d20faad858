import { NativeSelect } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { campaignsQuery, explainQuery } from '../api/queries.js';
import type { ExplainedGate, ExplainedOffer } from '../api/wire.js';
import { gateText } from '../campaigns/reasons.js';
import { contentQuery } from '../contents/content-query.js';
import { Answer } from '../shell/answer.js';
import { CopyLine } from '../shell/copy-line.js';
import { Panel } from '../shell/panels.js';
import { When } from '../shell/when.js';
import { useWords } from '../shell/words.js';
import { truthOf } from './condition.js';
import { RuleTree, TruthSign } from './rule-tree.js';

/** Why the device is offered what a campaign brings, or why not. */
export function WhyPanel({
  deviceId,
  campaign,
  asOf,
}: {
  deviceId: string;
  campaign: string | undefined;
  asOf: string | undefined;
}) {
  const { t } = useWords();
  const navigate = useNavigate();
  const list = useInfiniteQuery(campaignsQuery);
  return (
    <Answer of={list}>
      {({ pages }) => {
        const campaigns = pages.flatMap(({ items }) => items);
        const chosen = campaign ?? campaigns[0]?.campaignId;
        if (chosen === undefined)
          return (
            <Panel kind="empty" title={t('campaigns.none')}>
              <p>{t('why.noneHint')}</p>
            </Panel>
          );
        return (
          <div className="column">
            <NativeSelect
              label={t('why.campaign')}
              value={chosen}
              onChange={({ currentTarget: { value } }) =>
                void navigate({ to: '.', search: (old) => ({ ...old, campaign: value }), replace: true })
              }
              data={campaigns.map(({ campaignId, name }) => ({ value: campaignId, label: name }))}
            />
            <Explained deviceId={deviceId} campaign={chosen} asOf={asOf} />
          </div>
        );
      }}
    </Answer>
  );
}

function Explained({ deviceId, campaign, asOf }: { deviceId: string; campaign: string; asOf: string | undefined }) {
  const { t } = useWords();
  const query = useQuery(explainQuery(deviceId, campaign, asOf));
  return (
    <Answer of={query}>
      {({ offers, by, at }) => (
        <>
          <p className="quiet">
            {t(`why.by.${by}`)} <When at={at} /> ·{' '}
            <Link to="/campaigns/$campaignId" params={{ campaignId: campaign }}>
              {t('why.toCampaign')}
            </Link>
          </p>
          {offers.length === 0 && <p>{t('why.noContent')}</p>}
          {offers.map((offer) => (
            <Offer key={offer.contentId} offer={offer} />
          ))}
          <CopyLine line={`npm run -s muster -- device why ${deviceId} --campaign ${campaign}`} label={t('copy.cli')} />
        </>
      )}
    </Answer>
  );
}

function Offer({ offer: { contentId, offered, stoppedBy, gates, rule, history } }: { offer: ExplainedOffer }) {
  const { t } = useWords();
  const content = useQuery(contentQuery(contentId)).data;
  const truth = truthOf(offered);
  const verdict =
    truth === true
      ? t('why.offered')
      : truth === false
        ? t('why.stopped', { gate: gateText(t, stoppedBy ?? '') })
        : t('why.unknown');
  return (
    <section className="card">
      <h2>
        <Link to="/contents/$contentId" params={{ contentId }} translate="no">
          {content === undefined ? contentId : `${content.description.name} ${content.description.version}`}
        </Link>
      </h2>
      <p className="verdict" data-truth={String(truth)}>
        <TruthSign of={truth} /> {verdict}
      </p>
      <div className="scroll" role="region" aria-label={t('why.gates')} tabIndex={0}>
        <table className="table">
          <caption className="visually-hidden">{t('why.gates')}</caption>
          <thead>
            <tr>
              <th scope="col">{t('why.gate')}</th>
              <th scope="col">{t('why.looked')}</th>
              <th scope="col">{t('why.says')}</th>
            </tr>
          </thead>
          <tbody>
            {gates.map((gate) => (
              <Gate key={gate.gate} gate={gate} />
            ))}
          </tbody>
        </table>
      </div>
      {rule !== null && (
        <>
          <h3>{t('why.rule')}</h3>
          <RuleTree rule={rule} />
        </>
      )}
      {history.length > 0 && (
        <>
          <h3>{t('why.history')}</h3>
          <ol className="plain-list">
            {history.map(({ event, code, at }) => (
              <li key={event + at}>
                <When at={at} /> <span translate="no">{`${event} ${code ?? ''}`}</span>
              </li>
            ))}
          </ol>
        </>
      )}
    </section>
  );
}

function Gate({ gate: { gate, passes, value, because, source, at } }: { gate: ExplainedGate }) {
  const { t } = useWords();
  const looked = Object.entries(value as Record<string, unknown>).map(
    ([name, each]) => `${name} ${JSON.stringify(each)}`,
  );
  return (
    <tr>
      <th scope="row">
        <TruthSign of={truthOf(passes)} /> {t(`gate.${gate}`)}
      </th>
      <td className="mono" translate="no">
        {looked.join(', ')}
      </td>
      <td>
        {t(`source.${source}`)} {because !== undefined && <span className="quiet">{t(`because.${because}`)}</span>}{' '}
        {at !== null && (
          <span className="quiet">
            <When at={at} />
          </span>
        )}
      </td>
    </tr>
  );
}
