import { Button } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { eventsQuery } from '../api/queries.js';
import type { LogEvent } from '../api/wire.js';
import { useMay } from '../session/session.js';
import { Actor } from '../shell/actor.js';
import { Answer } from '../shell/answer.js';
import { Denied } from '../shell/panels.js';
import { When } from '../shell/when.js';
import { useWords } from '../shell/words.js';

/** Who did what to the campaign, and why: its events are its audit record. */
export function AuditPanel({ campaignId, asOf }: { campaignId: string; asOf: string | undefined }) {
  const { t } = useWords();
  const may = useMay();
  return (
    <section className="card">
      <h2>{t('audit.title')}</h2>
      {may('event:read') ? <Events campaignId={campaignId} asOf={asOf} /> : <Denied />}
    </section>
  );
}

function Events({ campaignId, asOf }: { campaignId: string; asOf: string | undefined }) {
  const { t } = useWords();
  const query = useInfiniteQuery(eventsQuery(campaignId, ['muster.campaign']));
  return (
    <Answer of={query}>
      {({ pages }) => {
        const events = pages.flatMap(({ items }) => items);
        const seen = asOf === undefined ? events : events.filter(({ receivedAt }) => receivedAt <= asOf);
        return (
          <>
            <ol className="plain-list audit">
              {seen.toReversed().map((event) => (
                <Line key={event.id} event={event} />
              ))}
            </ol>
            {query.hasNextPage && (
              <Button variant="default" loading={query.isFetching} onClick={() => void query.fetchNextPage()}>
                {t('list.more')}
              </Button>
            )}
          </>
        );
      }}
    </Answer>
  );
}

/** Fields that say what the line says anyway. */
const SAID: ReadonlySet<string> = new Set(['campaignId', 'by', 'at', 'reason', 'remark']);

function Line({ event: { actor, name, receivedAt, data } }: { event: LogEvent }) {
  const { t } = useWords();
  const fields = data as Record<string, unknown>;
  const why = fields.reason ?? fields.remark;
  const rest = Object.fromEntries(Object.entries(fields).filter(([field]) => !SAID.has(field)));
  return (
    <li>
      <div>
        <strong translate="no">{name}</strong> <Actor of={actor} />{' '}
        <span className="quiet">
          <When at={receivedAt} />
        </span>
      </div>
      {typeof why === 'string' && (
        <q className="wrap" translate="no">
          {why}
        </q>
      )}
      {Object.keys(rest).length > 0 && (
        <details>
          <summary className="quiet">{t('audit.data')}</summary>
          <pre className="mono" translate="no" tabIndex={0}>
            {JSON.stringify(rest, null, 2)}
          </pre>
        </details>
      )}
    </li>
  );
}
