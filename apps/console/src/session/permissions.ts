import type { Caller, Role } from '../api/wire.js';

/** Resource, then verb, as the server names them. */
export type Permission =
  | `${'analytics' | 'event' | 'tenant'}:read`
  | `campaign:${'approve' | 'operate' | 'read' | 'write'}`
  | `${'cap' | 'content' | 'device' | 'enrolment' | 'key' | 'projection' | 'review' | 'rule' | 'schema' | 'token' | 'user'}:${'read' | 'write'}`;

const READS: readonly Permission[] = [
  'campaign:read',
  'cap:read',
  'content:read',
  'device:read',
  'projection:read',
  'review:read',
  'rule:read',
  'schema:read',
  'tenant:read',
];

/** What each role may, for servers whose `GET /v1/me` does not say it. */
const TABLE: Readonly<Record<Role, readonly Permission[]>> = {
  viewer: [],
  author: ['campaign:write', 'content:write', 'rule:write', 'schema:write'],
  approver: ['campaign:approve'],
  operator: ['campaign:operate', 'cap:write', 'device:write', 'enrolment:read', 'enrolment:write'],
  analyst: ['analytics:read', 'event:read'],
  admin: [
    'cap:write',
    'device:write',
    'enrolment:read',
    'enrolment:write',
    'event:read',
    'key:read',
    'key:write',
    'projection:write',
    'review:write',
    'token:read',
    'token:write',
    'user:read',
    'user:write',
  ],
};

/** What the caller may do: the server's own word where it gives one. */
export function permissionsOf(caller: Caller & { permissions?: readonly string[] }): ReadonlySet<string> {
  if (caller.permissions !== undefined) return new Set(caller.permissions);
  if (caller.domain !== undefined) return new Set();
  return new Set(caller.roles.flatMap((role) => [...READS, ...TABLE[role]]));
}
