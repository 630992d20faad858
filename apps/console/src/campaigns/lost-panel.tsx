import { Button, CloseButton } from '@mantine/core';
import { infiniteQueryOptions, useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api, dataOf } from '../api/client.js';
import { useAsOf, useMay } from '../session/session.js';
import { Answer } from '../shell/answer.js';
import { Denied } from '../shell/panels.js';
import { When } from '../shell/when.js';
import { useWords } from '../shell/words.js';
import { type Lost, lostOf } from './lost.js';
import { reasonText } from './reasons.js';

const lostQuery = (campaignId: string, lost: Lost, asOf: string | undefined) =>
  infiniteQueryOptions({
    queryKey: ['progress', campaignId, 'lost', lost, asOf ?? 'now'],
    queryFn: ({ pageParam, signal }) => {
      const more = {
        ...(asOf === undefined ? {} : { as_of: asOf }),
        ...(pageParam === null ? {} : { cursor: pageParam }),
      };
      const query = { limit: 100, ...lost, ...more };
      return dataOf(api.GET('/v1/campaigns/{id}/devices', { signal, params: { path: { id: campaignId }, query } }));
    },
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
  });

/** Who is behind a line of the funnel. */
export function LostPanel({ campaignId, lost: text }: { campaignId: string; lost: string }) {
  const { t } = useWords();
  const may = useMay();
  const lost = lostOf(text);
  if (lost === undefined) return null;
  return (
    <section className="card" aria-live="polite">
      <div className="card-head">
        <h2>{'kind' in lost ? reasonText(t, lost) : t('lost.open', { step: t(`funnel.steps.${lost.reached}`) })}</h2>
        <Link to="." search={(old) => ({ ...old, lost: undefined })} aria-label={t('lost.close')}>
          <CloseButton component="span" aria-hidden="true" tabIndex={-1} />
        </Link>
      </div>
      {may('device:read') ? <Devices campaignId={campaignId} lost={lost} /> : <Denied />}
    </section>
  );
}

function Devices({ campaignId, lost }: { campaignId: string; lost: Lost }) {
  const { t } = useWords();
  const query = useInfiniteQuery(lostQuery(campaignId, lost, useAsOf()));
  return (
    <Answer of={query}>
      {({ pages }) => {
        const rows = pages.flatMap(({ items }) => items);
        // Who is out is counted by its reason, not among those that may go on.
        const devices = 'kind' in lost ? rows : rows.filter(({ kind }) => kind === null);
        return (
          <>
            {devices.length === 0 && <p className="quiet">{t('lost.none')}</p>}
            <ul className="plain-list">
              {devices.map(({ deviceId, contentId, changedAt }) => (
                <li key={`${deviceId} ${contentId}`}>
                  <Link to="/devices/$deviceId" params={{ deviceId }} search={{ tab: 'why', campaign: campaignId }}>
                    <span className="mono" translate="no">
                      {deviceId}
                    </span>
                  </Link>{' '}
                  <span className="quiet">
                    <When at={changedAt} />
                  </span>
                </li>
              ))}
            </ul>
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
