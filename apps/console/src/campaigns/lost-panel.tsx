import { Button, CloseButton } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api, dataOf } from '../api/client.js';
import type { Dropped, LogEvent } from '../api/wire.js';
import { useMay } from '../session/session.js';
import { Answer } from '../shell/answer.js';
import { Denied } from '../shell/panels.js';
import { When } from '../shell/when.js';
import { useWords } from '../shell/words.js';
import { reasonText } from './reasons.js';

/** The events by which a device goes out, and the field that says why. */
const EVENTS: Record<Dropped['kind'], { type: string; field: string }> = {
  declined: { type: 'ContentDeclined', field: 'reason' },
  withheld: { type: 'OfferWithheld', field: 'gate' },
  failed: { type: 'InstallReported', field: 'outcome' },
};

const isKind = (kind: string): kind is Dropped['kind'] => kind in EVENTS;

/** Whether the event is of a device that went out of this campaign for this reason. */
function isOf(event: LogEvent, campaignId: string, kind: Dropped['kind'], reason: string): boolean {
  const data = event.data as Record<string, unknown>;
  if (data.campaignId !== campaignId) return false;
  const value = data[EVENTS[kind].field];
  if (kind !== 'failed') return value === reason;
  return reason === 'rolled-back' ? value === 'rolled-back' : value === 'failed';
}

const lostQuery = (campaignId: string, kind: Dropped['kind'], reason: string) => ({
  queryKey: ['events', campaignId, 'lost', kind, reason],
  queryFn: async ({ pageParam }: { pageParam: string }) => {
    const query = { topic: ['muster.device' as const], type: [EVENTS[kind].type], limit: 200, from: pageParam };
    const page = await dataOf(api.GET('/v1/events', { params: { query } }));
    return { ...page, items: page.items.filter((event) => isOf(event, campaignId, kind, reason)) };
  },
  initialPageParam: 'start',
  getNextPageParam: ({ isAtEnd, position }: { isAtEnd: boolean; position: string }) => (isAtEnd ? undefined : position),
});

/** Who went out at a step for a reason, from the log: for who may read it. */
export function LostPanel({ campaignId, lost }: { campaignId: string; lost: string }) {
  const { t } = useWords();
  const may = useMay();
  const [kind = '', reason = ''] = lost.split(':');
  if (!isKind(kind)) return null;
  return (
    <section className="card" aria-live="polite">
      <div className="card-head">
        <h2>{reasonText(t, { kind, reason })}</h2>
        <Link to="." search={(old) => ({ ...old, lost: undefined })} aria-label={t('lost.close')}>
          <CloseButton component="span" aria-hidden="true" tabIndex={-1} />
        </Link>
      </div>
      {may('event:read') ? <Lost campaignId={campaignId} kind={kind} reason={reason} /> : <Denied />}
    </section>
  );
}

function Lost({ campaignId, kind, reason }: { campaignId: string; kind: Dropped['kind']; reason: string }) {
  const { t } = useWords();
  const query = useInfiniteQuery(lostQuery(campaignId, kind, reason));
  return (
    <Answer of={query}>
      {({ pages }) => {
        const events = pages.flatMap(({ items }) => items);
        const devices = [...new Map(events.map((event) => [event.subject, event])).values()];
        return (
          <>
            {devices.length === 0 && <p className="quiet">{t('lost.none')}</p>}
            <ul className="plain-list">
              {devices.map(({ subject, receivedAt }) => (
                <li key={subject}>
                  <Link
                    to="/devices/$deviceId"
                    params={{ deviceId: subject }}
                    search={{ tab: 'why', campaign: campaignId }}
                  >
                    <span className="mono" translate="no">
                      {subject}
                    </span>
                  </Link>{' '}
                  <span className="quiet">
                    <When at={receivedAt} />
                  </span>
                </li>
              ))}
            </ul>
            {query.hasNextPage && (
              <Button variant="default" loading={query.isFetching} onClick={() => void query.fetchNextPage()}>
                {t('lost.further')}
              </Button>
            )}
          </>
        );
      }}
    </Answer>
  );
}
