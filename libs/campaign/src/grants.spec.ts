import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import type { GrantClaims } from '#device-protocol/index.js';
import { type GrantKeys, grantKeys, requestHash, signGrant, verifyGrant } from './grants.js';

const NOW = Date.parse('2026-11-24T09:00:00.000Z');
const bearer = { tenant: 'acme', deviceId: 'd-1', contentId: 'c-1' };
const claims: GrantClaims = {
  sub: 'd-1',
  tenant: 'acme',
  content: 'c-1',
  campaign: 'k-1',
  req: requestHash('d-1', 'c-1', 'k-1'),
  snap: 7,
  iat: NOW / 1000,
  exp: NOW / 1000 + 600,
  jti: 'j-1',
};

async function makeKey(kid: string): Promise<{ secret: JWK; set: GrantKeys }> {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { extractable: true });
  return {
    secret: { ...(await exportJWK(privateKey)), kid },
    set: grantKeys({ keys: [{ ...(await exportJWK(publicKey)), kid, alg: 'EdDSA' }] }),
  };
}

describe('a grant', () => {
  let key: Awaited<ReturnType<typeof makeKey>>;
  let header: string;
  beforeAll(async () => {
    key = await makeKey('g1');
    header = `Grant ${await signGrant(claims, key.secret)}`;
  });
  const refused = (code: string) => expect.objectContaining({ code }) as Error;

  it('lets its device begin a range of its content', async () =>
    expect(await verifyGrant(header, key.set, bearer, NOW)).toEqual(claims));

  it.each([{ tenant: 'other' }, { deviceId: 'd-2' }, { contentId: 'c-2' }])('of %o is grant.foreign', async (other) =>
    expect(verifyGrant(header, key.set, { ...bearer, ...other }, NOW)).rejects.toThrowError(refused('grant.foreign')),
  );

  it('ends after its ten minutes with grant.expired', async () =>
    expect(verifyGrant(header, key.set, bearer, NOW + 600_000)).rejects.toThrowError(refused('grant.expired')));

  it.each([undefined, 'Bearer x', 'Grant', 'Grant a b'])('is grant.missing in %s', async (none) =>
    expect(verifyGrant(none, key.set, bearer, NOW)).rejects.toThrowError(refused('grant.missing')),
  );

  it.each(['x', 'a.b.c', '..'])('is grant.malformed as %s', async (jws) =>
    expect(verifyGrant(`Grant ${jws}`, key.set, bearer, NOW)).rejects.toThrowError(refused('grant.malformed')),
  );

  it('by another key is grant.malformed, even under the same key id', async () => {
    const foreign = await makeKey('g1');
    const forged = `Grant ${await signGrant(claims, foreign.secret)}`;
    await expect(verifyGrant(forged, key.set, bearer, NOW)).rejects.toThrowError(refused('grant.malformed'));
  });

  it('whose hash is of another request is grant.malformed', async () => {
    const other = `Grant ${await signGrant({ ...claims, campaign: 'k-2' }, key.secret)}`;
    await expect(verifyGrant(other, key.set, bearer, NOW)).rejects.toThrowError(refused('grant.malformed'));
  });
});
