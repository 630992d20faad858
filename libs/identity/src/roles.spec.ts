import { describe, expect, it } from 'vitest';
import { PERMISSIONS, type Permission, permits, type Principal, ROLES, type Role } from './roles.js';

/** Written by hand from the roles' meaning, one line a permission, not from the table: the roles that may. */
const ORACLE: Record<Permission, string> = {
  'analytics:read': 'analyst',
  'campaign:approve': 'approver',
  'campaign:operate': 'operator',
  'campaign:read': 'viewer author approver operator analyst admin',
  'campaign:write': 'author',
  'cap:read': 'viewer author approver operator analyst admin',
  'cap:write': 'operator admin',
  'content:read': 'viewer author approver operator analyst admin',
  'content:write': 'author',
  'device:read': 'viewer author approver operator analyst admin',
  'device:write': 'operator admin',
  'enrolment:read': 'operator admin',
  'enrolment:write': 'operator admin',
  'event:read': 'analyst admin',
  'key:read': 'admin',
  'key:write': 'admin',
  'projection:read': 'viewer author approver operator analyst admin',
  'projection:write': 'admin',
  'review:read': 'viewer author approver operator analyst admin',
  'review:write': 'admin',
  'rule:read': 'viewer author approver operator analyst admin',
  'rule:write': 'author',
  'schema:read': 'viewer author approver operator analyst admin',
  'schema:write': 'author',
  'tenant:read': 'viewer author approver operator analyst admin',
  'tenant:write': '',
  'token:read': 'admin',
  'token:write': 'admin',
  'user:read': 'admin',
  'user:write': 'admin',
  'webhook:read': 'admin',
  'webhook:write': 'admin',
};

const person = (...roles: Role[]): Principal => ({ tenant: 'acme', kind: 'person', id: 'p', roles });

describe('roles', () => {
  it.each(PERMISSIONS.flatMap((permission) => ROLES.map((role) => [role, permission] as const)))(
    'lets %s do %s as the hand-written table says',
    (role, permission) => {
      expect(permits(person(role), permission)).toBe(ORACLE[permission].split(' ').includes(role));
    },
  );

  it('denies everything to who has no role', () => {
    expect(PERMISSIONS.filter((permission) => permits(person(), permission))).toEqual([]);
  });

  it('adds roles up', () => {
    expect(permits(person('viewer', 'author'), 'content:write')).toBe(true);
  });

  it('lets only an administrator of the platform make tenants', () => {
    const act = 'tenant:write';
    expect(permits({ ...person('admin'), platform: true }, act)).toBe(true);
    expect(permits({ ...person('operator'), platform: true }, act)).toBe(false);
  });

  it('lets no token change people, tokens or tenants', () => {
    const token: Principal = { ...person('admin'), kind: 'token', platform: true };
    expect(PERMISSIONS.filter((act) => permits({ ...token, kind: 'person' }, act) && !permits(token, act))).toEqual([
      'tenant:write',
      'token:write',
      'user:write',
    ]);
  });

  it('confines who is bound to a security domain to objects of that domain', () => {
    const confined = { ...person('author'), domain: 'A000000151' };
    expect(permits(confined, 'content:write', 'A000000151')).toBe(true);
    expect(permits(confined, 'content:write', 'A000000152')).toBe(false);
    expect(permits(confined, 'content:write')).toBe(false);
  });
});
