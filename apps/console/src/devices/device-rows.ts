import { useThrottledValue } from '@mantine/hooks';
import { keepPreviousData, queryOptions, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { api, dataOf } from '../api/client.js';
import type { Device } from '../api/wire.js';

/** Rows that are asked for together; the server gives no more. */
const BLOCK = 200;
/** Blocks overlap by half, so that whatever is in sight is within one of them. */
const STEP = BLOCK / 2;
/** While somebody drags the scrollbar, what flies by is not asked for. */
const AT_MOST_EVERY_MS = 350;
/** A block that nobody looks at any more is let go of so soon: the heap stays flat while a million rows go by. */
const KEPT_MS = 15_000;

export const blockOf = (row: number): number => Math.floor(row / STEP);

/** Devices are numbered without gaps in the order of their enrolment, so a row's place is its device's number. */
export const blockQuery = (block: number) =>
  queryOptions({
    queryKey: ['devices', 'block', block],
    queryFn: ({ signal }) =>
      dataOf(api.GET('/v1/devices', { signal, params: { query: { from: block * STEP, limit: BLOCK } } })),
    gcTime: KEPT_MS,
    staleTime: 60_000,
  });

export interface DeviceRows {
  row: (index: number) => Device | undefined;
  error: Error | null;
  retry: () => void;
}

/** The devices around a row. */
export function useDeviceRows(first: number): DeviceRows {
  const block = useThrottledValue(blockOf(first), AT_MOST_EVERY_MS);
  const { data, error, refetch } = useQuery({ ...blockQuery(block), placeholderData: keepPreviousData });
  const byNumber = useMemo(() => new Map(data?.items.map((device) => [device.deviceNo, device])), [data]);
  return { row: (index) => byNumber.get(index), error, retry: () => void refetch() };
}
