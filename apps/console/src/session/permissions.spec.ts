import { describe, expect, it } from 'vitest';
import { permissionsOf } from './permissions.js';

const caller = (roles: ('admin' | 'analyst' | 'approver' | 'author' | 'operator' | 'viewer')[], more: object = {}) => ({
  id: 'x',
  kind: 'person' as const,
  tenant: 'main',
  roles,
  ...more,
});

describe('what the console shows to whom', () => {
  it('follows what the server says, and nothing else, when it says it', () => {
    expect([...permissionsOf(caller(['admin'], { permissions: ['campaign:read'] }))]).toEqual(['campaign:read']);
  });

  it('lets no role read the log that may not', () => {
    const readers = (['admin', 'analyst', 'approver', 'author', 'operator', 'viewer'] as const).filter((role) =>
      permissionsOf(caller([role])).has('event:read'),
    );
    expect(readers).toEqual(['admin', 'analyst']);
  });

  it('lets administrators neither approve, nor operate, nor write campaigns', () => {
    const may = permissionsOf(caller(['admin']));
    expect(['campaign:approve', 'campaign:operate', 'campaign:write'].some((each) => may.has(each))).toBe(false);
  });

  it('adds roles up', () => {
    const may = permissionsOf(caller(['author', 'operator']));
    expect(may.has('campaign:write') && may.has('campaign:operate') && may.has('device:write')).toBe(true);
  });

  it('shows nothing to who has no role, or is confined to a security domain', () => {
    expect(permissionsOf(caller([])).size).toBe(0);
    expect(permissionsOf(caller(['admin'], { domain: 'A000000559' })).size).toBe(0);
  });
});
