import { queryOptions } from '@tanstack/react-query';
import type { components } from 'openapi-schema';
import { api, dataOf } from '../api/client.js';

export type Audience = components['schemas']['AudienceView'];
export type Share = components['schemas']['ShareView'];

export interface AudienceAsked {
  selector: string;
  channel: string;
  mode: 'device' | 'server' | 'either';
  content: readonly string[];
  /** Empty: nothing. */
  than: string;
}

export const audienceQuery = ({ than, content, ...asked }: AudienceAsked) =>
  queryOptions({
    queryKey: ['audience', asked, content, than],
    queryFn: ({ signal }) => {
      const query = { ...asked, content: [...content], ...(than === '' ? {} : { than }) };
      return dataOf(api.GET('/v1/audience', { signal, params: { query } }));
    },
    staleTime: 30_000,
    gcTime: 30_000,
  });

export const fitQuery = (id: string, selector: string) =>
  queryOptions({
    queryKey: ['fit', id, selector],
    queryFn: ({ signal }) =>
      dataOf(api.GET('/v1/devices/{id}/fit', { signal, params: { path: { id }, query: { selector } } })),
  });

/** The first few devices of a name or id. */
export const namedQuery = (q: string) =>
  queryOptions({
    queryKey: ['devices', 'named', q],
    queryFn: async ({ signal }) =>
      (await dataOf(api.GET('/v1/devices', { signal, params: { query: { q, limit: 5 } } }))).items,
  });
