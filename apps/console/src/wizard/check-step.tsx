import { Button, NumberInput, TextInput } from '@mantine/core';
import '@mantine/core/styles/NumberInput.css';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { dryRunQuery } from '../api/queries.js';
import type { Campaign, DryRun } from '../api/wire.js';
import { Answer } from '../shell/answer.js';
import { Facts } from '../shell/facts.js';
import { When } from '../shell/when.js';
import { useWords } from '../shell/words.js';
import { MatchBars } from './match-bars.js';

/** What the draft would have come to, had it run when the polls of the last days came. */
export function CheckStep({ campaign }: { campaign: Campaign }) {
  const { t } = useWords();
  const { days = 7 } = useSearch({ from: '/inside/campaigns/$campaignId/edit' });
  const navigate = useNavigate({ from: '/campaigns/$campaignId/edit' });
  const query = useQuery(dryRunQuery(campaign.campaignId, days, campaign.version));
  return (
    <div className="split">
      <section className="card">
        <div className="card-head">
          <h2>{t('review.dryRun')}</h2>
          <NumberInput
            label={t('dry.days')}
            min={1}
            max={31}
            value={days}
            onChange={(value) =>
              void navigate({ search: (old) => ({ ...old, days: Number(value) || 7 }), replace: true })
            }
          />
        </div>
        <Answer of={query}>{(run) => <Outcome run={run} />}</Answer>
      </section>
      <TestDevice campaign={campaign} />
    </div>
  );
}

function Outcome({ run }: { run: DryRun }) {
  const { t, count, bytes } = useWords();
  const number = (value: number | null) => (value === null ? t('dry.notKnowable') : count(value));
  const rivals = (run.rivals ?? []) as { campaignId: string; devices: number; won: number }[];
  return (
    <>
      <MatchBars fits={run.fits} doesNotFit={run.doesNotFit} unknown={run.unknown} />
      {run.why !== null && <p className="preview">{t('dry.why', { why: String(run.why) })}</p>}
      {run.isPartial && <p className="preview">{t('dry.partial')}</p>}
      <Facts
        of={[
          [
            t('dry.period'),
            <>
              <When key="f" at={run.from} /> – <When key="u" at={run.until} />
            </>,
          ],
          [t('dry.devices'), count(run.devices)],
          [t('dry.polls'), count(run.polls)],
          [t('dry.served'), number(run.served)],
          [t('dry.bytes'), run.bytes === null ? t('dry.notKnowable') : bytes(run.bytes)],
          [t('dry.heldWave'), run.held !== null && count(run.held.wave)],
          [t('dry.heldOut'), run.held !== null && count(run.held['hold-out'])],
          [t('dry.starvedWindow'), run.starved !== null && count(run.starved.window)],
          [t('dry.starvedCap'), run.starved !== null && count(run.starved.cap)],
          [t('dry.starvedConflict'), run.starved !== null && count(run.starved.conflict)],
        ]}
      />
      {rivals.length > 0 && (
        <>
          <h3>{t('dry.rivals')}</h3>
          <ul className="plain-list">
            {rivals.map(({ campaignId, devices, won }) => (
              <li key={campaignId}>
                <Link to="/campaigns/$campaignId" params={{ campaignId }} translate="no">
                  {campaignId.slice(0, 8)}
                </Link>{' '}
                {t('dry.rival', { devices: count(devices), won: count(won) })}
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}

/** One device, by its identifier: the same explanation that its own page gives. */
function TestDevice({ campaign: { campaignId } }: { campaign: Campaign }) {
  const { t } = useWords();
  const navigate = useNavigate();
  const [id, setId] = useState('');
  return (
    <section className="card">
      <h2>{t('wizard.test')}</h2>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void navigate({
            to: '/devices/$deviceId',
            params: { deviceId: id.trim() },
            search: { tab: 'why', campaign: campaignId },
          });
        }}
      >
        <TextInput
          label={t('wizard.testId')}
          description={t('wizard.testHint')}
          value={id}
          onChange={(event) => setId(event.currentTarget.value)}
        />
        <Button type="submit" variant="default" mt="sm" disabled={id.trim() === ''}>
          {t('wizard.testAct')}
        </Button>
      </form>
    </section>
  );
}
