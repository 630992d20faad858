import { useQuery, useSuspenseQuery } from '@tanstack/react-query';
import { useSearch } from '@tanstack/react-router';
import { meQuery } from '../api/queries.js';
import type { Caller } from '../api/wire.js';
import { type Permission, permissionsOf } from './permissions.js';

export const useMe = (): Caller => useSuspenseQuery(meQuery).data;

/** The past moment that the page shows, if it is not now. */
export const useAsOf = (): string | undefined => useSearch({ strict: false }).as_of;

/** Whether the caller may; in the past nobody may change anything. */
export function useMay(): (permission: Permission) => boolean {
  const { data } = useQuery(meQuery);
  const asOf = useAsOf();
  const permissions = data === undefined ? new Set<string>() : permissionsOf(data);
  return (permission) => permissions.has(permission) && (asOf === undefined || permission.endsWith(':read'));
}
