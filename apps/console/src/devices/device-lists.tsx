import { Button } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Answer } from '../shell/answer.js';
import { FilteredEmpty, Trouble } from '../shell/panels.js';
import { useWords } from '../shell/words.js';
import { facetsQuery, foundQuery } from './device-queries.js';
import { useDeviceRows } from './device-rows.js';
import { type DeviceFilter, sumOf } from './device-state.js';
import { DeviceTable, MOST_ROWS } from './device-table.js';

/** All devices, in the order of their enrolment; any place in it can be gone to. */
export function AllDevices({ total }: { total: number }) {
  const { t, count } = useWords();
  const [first, setFirst] = useState(0);
  const { row, error, retry } = useDeviceRows(first);
  if (error !== null) return <Trouble error={error} onRetry={retry} />;
  return (
    <DeviceTable count={total} row={row} onFirst={setFirst}>
      {total > MOST_ROWS
        ? t('devices.most', { shown: count(MOST_ROWS), total: count(total) })
        : t('devices.total', { count: total, shown: count(total) })}
    </DeviceTable>
  );
}

/** What the server found; further pages as they are asked for. */
export function FoundDevices({ filter, onClear }: { filter: DeviceFilter; onClear: () => void }) {
  const { t, count } = useWords();
  const query = useInfiniteQuery(foundQuery(filter));
  const total = useQuery(facetsQuery(filter)).data;
  return (
    <Answer of={query}>
      {({ pages }) => {
        const found = pages.flatMap(({ items }) => items);
        if (found.length === 0) return <FilteredEmpty onClear={onClear} />;
        return (
          <>
            <DeviceTable count={found.length} row={(index) => found[index]}>
              {t('devices.found', {
                shown: count(found.length),
                total: total === undefined ? '…' : count(sumOf(total)),
              })}
            </DeviceTable>
            {query.hasNextPage && (
              <Button variant="default" loading={query.isFetching} onClick={() => void query.fetchNextPage()}>
                {t('devices.further')}
              </Button>
            )}
          </>
        );
      }}
    </Answer>
  );
}
