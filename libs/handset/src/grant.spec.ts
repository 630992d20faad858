import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type GrantClaims } from '#device-protocol/index.js';
import { checkGrant, requestHash } from './grant.js';
import { readGrantKeys } from './grant-keys.js';
import { signedJws } from './simulator.js';

const subject = { deviceId: 'd1', contentId: 'c1', campaignId: 'k1' };
const keys = generateKeyPairSync('ed25519');
const jwk = { ...keys.publicKey.export({ format: 'jwk' }), kid: 'grant-1' };
const trusted = readGrantKeys(Buffer.from(JSON.stringify({ keys: [jwk, { kty: 'EC', crv: 'P-256', kid: 'other' }] })));
const claims: GrantClaims = {
  sub: 'd1',
  tenant: 'main',
  content: 'c1',
  campaign: 'k1',
  req: requestHash(subject),
  snap: 7,
  iat: 1,
  exp: 2,
  jti: 'j',
};
const grant = (change: Partial<GrantClaims> = {}, key = keys.privateKey, kid = 'grant-1') =>
  signedJws({ ...claims, ...change }, key, kid);

describe('a grant', () => {
  it('is taken when it answers what this handset asked', () => {
    expect(checkGrant(grant(), trusted, subject)).toEqual(claims);
  });

  const stranger = generateKeyPairSync('ed25519').privateKey;
  it.each([
    ['of another device', grant({ sub: 'd2' }), 'grant.other-device'],
    ['for another content', grant({ content: 'c2' }), 'grant.other-content'],
    ['for another campaign', grant({ campaign: 'k2' }), 'grant.other-content'],
    ['for another request', grant({ req: 'x' }), 'grant.other-content'],
    ['by an unknown key', grant({}, stranger), 'grant.signature'],
    ['by a key that no target names', grant({}, keys.privateKey, 'grant-2'), 'grant.signature'],
    [
      'changed after signing',
      grant().replace(/\.[^.]+\./, `.${grant({ sub: 'd9' }).split('.')[1]}.`),
      'grant.signature',
    ],
    ['with nothing in it', 'e30.e30.', 'grant.malformed'],
    ['in two parts', 'a.b', 'grant.malformed'],
    ['that is empty', '', 'grant.malformed'],
  ])('%s is refused', (_, jws, code) => {
    expect(() => checkGrant(jws, trusted, subject)).toThrow(expect.objectContaining({ code }) as Error);
  });

  it('is believed by nobody when the key set is rubbish', () => {
    for (const rubbish of ['', '{}', '{"keys":7}', '{"keys":[null,1]}'])
      expect(readGrantKeys(Buffer.from(rubbish)).size).toBe(0);
  });
});
