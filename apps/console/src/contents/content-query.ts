import { queryOptions } from '@tanstack/react-query';
import { api, dataOf } from '../api/client.js';

export const contentQuery = (contentId: string) =>
  queryOptions({
    queryKey: ['contents', contentId],
    queryFn: ({ signal }) => dataOf(api.GET('/v1/contents/{contentId}', { signal, params: { path: { contentId } } })),
    staleTime: 60_000,
  });
