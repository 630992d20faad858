import { describe, expect, it } from 'vitest';
import {
  checkPassword,
  hashCredential,
  hashPassword,
  newCredential,
  parseCredential,
  verifyPassword,
} from './credentials.js';

describe('credentials', () => {
  it.each(['code', 'session', 'token'] as const)('reads back the tenant and hash of a new %s', (kind) => {
    const { text, hash } = newCredential(kind, 'acme-2');
    expect(parseCredential(text)).toEqual({ kind, tenant: 'acme-2', hash });
    expect(hash).toBe(hashCredential(text));
    expect(hash).not.toContain(text.split('.')[1]);
  });

  it('holds at least 128 random bits in a code', () => {
    const secret = newCredential('code', 'acme').text.split('.')[1]!;
    expect(Buffer.from(secret, 'base64url').length * 8).toBeGreaterThanOrEqual(128);
  });

  it.each([
    '',
    'acme',
    'acme.',
    '.x',
    'ACME.aaaaaaaaaaaaaaaaaaaaaaaa',
    'mtx_acme.aaaaaaaaaaaaaaaaaaaaaaaa',
    'acme.short',
    'platform.aaaaaaaaaaaaaaaaaaaaaaaa',
    "acme.aaaaaaaaaaaaaaaaaaaaaaa'",
  ])('does not read %j', (text) => expect(parseCredential(text)).toBeUndefined());
});

describe('passwords', () => {
  it('accepts the password that was hashed, and no other', async () => {
    const stored = await hashPassword('correct horse battery');
    expect(await verifyPassword('correct horse battery', stored)).toBe(true);
    expect(await verifyPassword('correct horse batterz', stored)).toBe(false);
  });

  it('takes composed and decomposed letters for the same', async () => {
    expect(await verifyPassword('cafe\u0301 au lait!!', await hashPassword('caf\u00e9 au lait!!'))).toBe(true);
  });

  it('salts: two hashes of one password differ', async () => {
    expect(await hashPassword('correct horse battery')).not.toBe(await hashPassword('correct horse battery'));
  });

  it('answers false for an account that does not exist', async () => {
    expect(await verifyPassword('correct horse battery', undefined)).toBe(false);
  });

  it.each(['short', 'aaaaaaaaaaaaaaaa', 'x'.repeat(300)])('refuses %j with password.weak', (password) => {
    expect(() => checkPassword(password)).toThrow(expect.objectContaining({ code: 'password.weak' }));
  });
});
