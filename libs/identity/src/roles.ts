/** What a person or token may be. Roles add up; none implies another. */
export const ROLES = ['viewer', 'author', 'approver', 'operator', 'analyst', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Every act that a route can ask for: resource, then verb. */
export const PERMISSIONS = [
  'analytics:read',
  'campaign:approve',
  'campaign:operate',
  'campaign:read',
  'campaign:write',
  'cap:read',
  'cap:write',
  'content:read',
  'content:write',
  'device:read',
  'device:write',
  'enrolment:read',
  'enrolment:write',
  'event:read',
  'key:read',
  'key:write',
  'projection:read',
  'projection:write',
  'review:read',
  'review:write',
  'rule:read',
  'rule:write',
  'schema:read',
  'schema:write',
  'tenant:read',
  'tenant:write',
  'token:read',
  'token:write',
  'user:read',
  'user:write',
  'webhook:read',
  'webhook:write',
] as const;
export type Permission = (typeof PERMISSIONS)[number];

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

/** The table. What is not in it is denied. */
const TABLE: Readonly<Record<Role, ReadonlySet<Permission>>> = {
  viewer: new Set(READS),
  author: new Set([...READS, 'campaign:write', 'content:write', 'rule:write', 'schema:write']),
  approver: new Set([...READS, 'campaign:approve']),
  operator: new Set([...READS, 'campaign:operate', 'cap:write', 'device:write', 'enrolment:read', 'enrolment:write']),
  analyst: new Set([...READS, 'analytics:read', 'event:read']),
  admin: new Set([
    ...READS,
    'cap:write',
    'device:write',
    'enrolment:read',
    'enrolment:write',
    'event:read',
    'key:read',
    'key:write',
    'projection:write',
    'review:write',
    'tenant:write',
    'token:read',
    'token:write',
    'user:read',
    'user:write',
    'webhook:read',
    'webhook:write',
  ]),
};

/** Acts that reach beyond the caller's tenant. */
const PLATFORM: ReadonlySet<Permission> = new Set(['tenant:write']);

/** Acts on who may do what, and judgements: for people who logged in, so that a token cannot make another, or judge what its owner drafted. */
const PEOPLE_ONLY: ReadonlySet<Permission> = new Set(['campaign:approve', 'tenant:write', 'token:write', 'user:write']);

/** Who calls, as the credential says: the tenant comes from nowhere else. */
export interface Principal {
  tenant: string;
  kind: 'person' | 'token';
  id: string;
  roles: readonly Role[];
  /** Set for the people who run the installation; a token never carries it. */
  platform?: boolean;
  /** AID (hex) of the one security domain that the caller is confined to; absent = the whole tenant. */
  domain?: string;
}

/**
 * Whether the caller may do it. Who is confined to a security domain may act on objects of that domain alone, so an
 * act on an object without one, or on the tenant as a whole, is denied.
 * @param domain AID (hex) of the security domain that the object belongs to
 */
export function permits(caller: Principal, permission: Permission, domain?: string): boolean {
  if (PEOPLE_ONLY.has(permission) && caller.kind !== 'person') return false;
  if (PLATFORM.has(permission) && caller.platform !== true) return false;
  if (caller.domain !== undefined && caller.domain !== domain) return false;
  return caller.roles.some((role) => TABLE[role].has(permission));
}

export const isRole = (value: unknown): value is Role => ROLES.some((role) => role === value);
