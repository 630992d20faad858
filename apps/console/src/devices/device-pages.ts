import { queryOptions, useQueries } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { api, dataOf } from '../api/client.js';
import type { Device } from '../api/wire.js';

export const PAGE = 200;
/** A page that nobody looks at any more is let go of so soon: the heap stays flat while a million rows go by. */
const KEPT_MS = 15_000;

export const devicePage = (cursor: string | null) =>
  queryOptions({
    queryKey: ['devices', cursor ?? 'first'],
    queryFn: ({ signal }) =>
      dataOf(
        api.GET('/v1/devices', {
          signal,
          params: { query: { limit: PAGE, ...(cursor === null ? {} : { cursor }) } },
        }),
      ),
    gcTime: KEPT_MS,
    staleTime: 60_000,
  });

/** What is known of how long the list is. */
export interface DeviceIndex {
  /** Where each page begins. */
  starts: readonly (string | null)[];
  /** Rows that are known, and one page that is not yet. */
  count: number;
  /** Every page was seen. */
  isWhole: boolean;
  learn: (page: number, found: { items: readonly Device[]; next: string | null }) => void;
}

/** Only where the pages begin is remembered; of their rows those that are looked at. */
export function useDeviceIndex(): DeviceIndex {
  const [starts, setStarts] = useState<readonly (string | null)[]>([null]);
  const [end, setEnd] = useState<number>();
  return {
    starts,
    count: end ?? starts.length * PAGE,
    isWhole: end !== undefined,
    learn: (page, { items, next }) => {
      if (page !== starts.length - 1) return;
      if (next === null) setEnd(page * PAGE + items.length);
      else setStarts((old) => (old.length === page + 1 ? [...old, next] : old));
    },
  };
}

export interface DeviceRows {
  row: (index: number) => Device | undefined;
  error: Error | null;
  retry: () => void;
}

/** The rows from the first to the last that are in sight. */
export function useDeviceRows({ starts, learn }: DeviceIndex, first: number, last: number): DeviceRows {
  const from = Math.min(Math.floor(first / PAGE), starts.length - 1);
  const to = Math.min(Math.floor(last / PAGE), starts.length - 1);
  const pages = useQueries({ queries: starts.slice(from, to + 1).map((cursor) => devicePage(cursor)) });
  const newest = pages.at(-1)?.data;
  useEffect(() => {
    if (newest !== undefined) learn(to, newest);
  });
  const failed = pages.find(({ error }) => error !== null);
  return {
    row: (index) => pages[Math.floor(index / PAGE) - from]?.data?.items[index % PAGE],
    error: failed?.error ?? null,
    retry: () => void failed?.refetch(),
  };
}
