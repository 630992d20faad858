import type { Caller } from '../api/wire.js';

/** Resource, then verb, as the server names them. */
export type Permission = Caller['permissions'][number];

/** What the caller may do, in the server's own word. */
export const permissionsOf = ({ permissions }: Caller): ReadonlySet<string> => new Set(permissions);
