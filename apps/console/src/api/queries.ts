import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, dataOf } from './client.js';

/** Every read of the console, by key: the live stream refreshes by the first words of these. */
const asOfQuery = (asOf: string | undefined): { as_of?: string } => (asOf === undefined ? {} : { as_of: asOf });

export const meQuery = queryOptions({
  queryKey: ['me'],
  queryFn: ({ signal }) => dataOf(api.GET('/v1/me', { signal })),
  staleTime: 60_000,
  retry: false,
});

export const accountQuery = queryOptions({
  queryKey: ['account'],
  queryFn: ({ signal }) => dataOf(api.GET('/v1/me/account', { signal })),
  staleTime: 60_000,
});

export const campaignsQuery = infiniteQueryOptions({
  queryKey: ['campaigns'],
  queryFn: ({ pageParam, signal }) =>
    dataOf(api.GET('/v1/campaigns', { signal, params: { query: { limit: 100, ...cursorOf(pageParam) } } })),
  initialPageParam: null as string | null,
  getNextPageParam: ({ next }) => next,
});

export const campaignQuery = (campaignId: string) =>
  queryOptions({
    queryKey: ['campaign', campaignId],
    queryFn: ({ signal }) =>
      dataOf(api.GET('/v1/campaigns/{campaignId}', { signal, params: { path: { campaignId } } })),
  });

export const progressQuery = (id: string, asOf?: string) =>
  queryOptions({
    queryKey: ['progress', id, asOf ?? 'now'],
    queryFn: ({ signal }) =>
      dataOf(api.GET('/v1/campaigns/{id}/progress', { signal, params: { path: { id }, query: asOfQuery(asOf) } })),
    placeholderData: keepPreviousData,
    // What has passed does not change; a copy of the read model is built for each such answer.
    staleTime: asOf === undefined ? 0 : Infinity,
  });

/** What came to each step when; asked anew with the progress. */
export const rateQuery = (id: string, asOf?: string) =>
  queryOptions({
    queryKey: ['progress', id, 'rate', asOf ?? 'now'],
    queryFn: ({ signal }) =>
      dataOf(
        api.GET('/v1/campaigns/{id}/rate', {
          signal,
          params: { path: { id }, query: { points: 120, ...asOfQuery(asOf) } },
        }),
      ),
    placeholderData: keepPreviousData,
    staleTime: asOf === undefined ? 0 : Infinity,
  });

export const dryRunQuery = (campaignId: string, days: number, version: number) =>
  queryOptions({
    queryKey: ['dry-run', campaignId, days, version],
    queryFn: ({ signal }) =>
      dataOf(
        api.GET('/v1/campaigns/{campaignId}/dry-run', { signal, params: { path: { campaignId }, query: { days } } }),
      ),
    staleTime: 60_000,
  });

export const contentsQuery = infiniteQueryOptions({
  queryKey: ['contents'],
  queryFn: ({ pageParam, signal }) =>
    dataOf(api.GET('/v1/contents', { signal, params: { query: { limit: 100, ...cursorOf(pageParam) } } })),
  initialPageParam: null as string | null,
  getNextPageParam: ({ next }) => next,
});

export const deviceQuery = (id: string) =>
  queryOptions({
    queryKey: ['device', id],
    queryFn: ({ signal }) => dataOf(api.GET('/v1/devices/{id}', { signal, params: { path: { id } } })),
  });

export const attributesQuery = (id: string) =>
  queryOptions({
    queryKey: ['attributes', id],
    queryFn: ({ signal }) => dataOf(api.GET('/v1/devices/{id}/attributes', { signal, params: { path: { id } } })),
  });

export const timelineQuery = (id: string, asOf?: string) =>
  infiniteQueryOptions({
    queryKey: ['timeline', id, asOf ?? 'now'],
    queryFn: ({ pageParam, signal }) =>
      dataOf(
        api.GET('/v1/devices/{id}/timeline', {
          signal,
          params: { path: { id }, query: { limit: 100, ...asOfQuery(asOf), ...cursorOf(pageParam) } },
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
  });

export const explainQuery = (id: string, campaign: string, asOf?: string) =>
  queryOptions({
    queryKey: ['explain', id, campaign, asOf ?? 'now'],
    queryFn: ({ signal }) =>
      dataOf(
        api.GET('/v1/devices/{id}/explain', {
          signal,
          params: { path: { id }, query: { campaign, ...asOfQuery(asOf) } },
        }),
      ),
  });

export const silentQuery = (campaignId: string, days: number) =>
  infiniteQueryOptions({
    queryKey: ['silent', campaignId, days],
    queryFn: ({ pageParam, signal }) =>
      dataOf(
        api.GET('/v1/campaigns/{campaignId}/silent', {
          signal,
          params: { path: { campaignId }, query: { days, limit: 100, ...cursorOf(pageParam) } },
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
  });

type Topic = 'muster.audit' | 'muster.campaign' | 'muster.content' | 'muster.device' | 'muster.handset';

/** Pages of the log, oldest first; who asks on at its end gets what has come since. */
export const eventsQuery = (subject: string, topic: Topic[]) =>
  infiniteQueryOptions({
    queryKey: ['events', subject, topic.join()],
    queryFn: ({ pageParam, signal }) =>
      dataOf(
        api.GET('/v1/events', {
          signal,
          params: { query: { subject, topic, limit: 200, from: pageParam } },
          querySerializer: { array: { style: 'form', explode: false } },
        }),
      ),
    initialPageParam: 'start',
    getNextPageParam: ({ isAtEnd, position }) => (isAtEnd ? undefined : position),
  });

export const channelsQuery = queryOptions({
  queryKey: ['channels'],
  queryFn: ({ signal }) => dataOf(api.GET('/v1/channels', { signal })),
  staleTime: 60_000,
});

export const reviewQuery = queryOptions({
  queryKey: ['review'],
  queryFn: ({ signal }) => dataOf(api.GET('/v1/review', { signal })),
  staleTime: 60_000,
});

export const schemaQuery = queryOptions({
  queryKey: ['schema'],
  queryFn: ({ signal }) => dataOf(api.GET('/v1/schema', { signal })),
  staleTime: 60_000,
});

export const projectionsQuery = queryOptions({
  queryKey: ['projections'],
  queryFn: ({ signal }) => dataOf(api.GET('/v1/projections', { signal })),
  refetchInterval: 10_000,
});

export const operationQuery = (id: string) =>
  queryOptions({
    queryKey: ['operation', id],
    queryFn: ({ signal }) => dataOf(api.GET('/v1/operations/{id}', { signal, params: { path: { id } } })),
    refetchInterval: ({ state }) => (state.data?.status === 'running' || state.data === undefined ? 1_000 : false),
  });

export const installationQuery = queryOptions({
  queryKey: ['installation'],
  queryFn: ({ signal }) => dataOf(api.GET('/v1/installation', { signal })),
  staleTime: Infinity,
});

export const peopleQuery = queryOptions({
  queryKey: ['people'],
  queryFn: ({ signal }) => dataOf(api.GET('/v1/users', { signal, params: { query: { limit: 200 } } })),
});

export const tokensQuery = queryOptions({
  queryKey: ['tokens'],
  queryFn: ({ signal }) => dataOf(api.GET('/v1/tokens', { signal, params: { query: { limit: 200 } } })),
});

export const codesQuery = queryOptions({
  queryKey: ['codes'],
  queryFn: ({ signal }) => dataOf(api.GET('/v1/enrolment-codes', { signal, params: { query: { limit: 200 } } })),
});

const cursorOf = (cursor: string | null): { cursor?: string } => (cursor === null ? {} : { cursor });
