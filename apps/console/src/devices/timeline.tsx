import { Button } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { timelineQuery } from '../api/queries.js';
import { Answer } from '../shell/answer.js';
import { Panel } from '../shell/panels.js';
import { When } from '../shell/when.js';
import { useWords } from '../shell/words.js';

/** What happened to the device, in order. */
export function Timeline({ deviceId, asOf }: { deviceId: string; asOf: string | undefined }) {
  const { t } = useWords();
  const query = useInfiniteQuery(timelineQuery(deviceId, asOf));
  return (
    <Answer of={query}>
      {({ pages }) => {
        const lines = pages.flatMap(({ items }) => items);
        if (lines.length === 0)
          return (
            <Panel kind="empty" title={t('timeline.none')}>
              <p>{t('timeline.noneHint')}</p>
            </Panel>
          );
        return (
          <>
            <ol className="plain-list timeline">
              {lines.map(({ seq, item, eventAt, event, text, campaignId }) => (
                <li key={`${seq}/${item}`}>
                  <span className="quiet timeline-at">
                    <When at={eventAt} />
                  </span>
                  <span>
                    <strong translate="no">{event}</strong>{' '}
                    <span className="wrap" translate="no">
                      {text}
                    </span>{' '}
                    {campaignId !== null && (
                      <Link to="." search={(old) => ({ ...old, tab: 'why' as const, campaign: campaignId })}>
                        {t('timeline.why')}
                      </Link>
                    )}
                  </span>
                </li>
              ))}
            </ol>
            {query.hasNextPage && (
              <Button variant="default" mt="sm" loading={query.isFetching} onClick={() => void query.fetchNextPage()}>
                {t('list.more')}
              </Button>
            )}
          </>
        );
      }}
    </Answer>
  );
}
