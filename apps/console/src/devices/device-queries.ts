import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { api, dataOf } from '../api/client.js';
import type { DeviceFilter } from './device-state.js';

/** How many devices there are of each sort: the totals, and what can be filtered by. */
export const facetsQuery = (filter: DeviceFilter) =>
  queryOptions({
    queryKey: ['devices', 'facets', filter],
    queryFn: async ({ signal }) =>
      (await dataOf(api.GET('/v1/devices/facets', { signal, params: { query: filter } }))).items,
    staleTime: 30_000,
  });

export const foundQuery = (filter: DeviceFilter) =>
  infiniteQueryOptions({
    queryKey: ['devices', 'found', filter],
    queryFn: ({ pageParam, signal }) => {
      const cursor = pageParam === null ? {} : { cursor: pageParam };
      return dataOf(api.GET('/v1/devices', { signal, params: { query: { limit: 100, ...filter, ...cursor } } }));
    },
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
  });
