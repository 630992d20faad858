import { createHash } from 'node:crypto';
import { CompactSign, compactVerify, createLocalJWKSet, errors, importJWK, type JSONWebKeySet, type JWK } from 'jose';
import { GRANT_SCHEME, type GrantClaims } from '#device-protocol/index.js';
import { CampaignError } from './errors.js';

/** The hash that ties a grant to what was asked; the same request gives the same hash, so a transfer can be resumed. */
export const requestHash = (deviceId: string, contentId: string, campaignId: string): string =>
  createHash('sha256').update(`${deviceId}\n${contentId}\n${campaignId}`).digest('base64url');

/** @param key private Ed25519 JWK with its `kid` */
export async function signGrant(claims: GrantClaims, key: JWK): Promise<string> {
  const payload = new TextEncoder().encode(JSON.stringify(claims));
  const header = { alg: 'EdDSA', typ: 'grant+jws', kid: key.kid };
  return new CompactSign(payload).setProtectedHeader(header).sign(await importJWK(key, 'EdDSA'));
}

type LocalKeys = ReturnType<typeof createLocalJWKSet>;

/** Finds the public key of a grant; keeps the keys that it has imported, so one is worth keeping, too. */
export type GrantKeys = (...args: Parameters<LocalKeys>) => ReturnType<LocalKeys>;

export const grantKeys = (set: JSONWebKeySet): GrantKeys => createLocalJWKSet(set);

/** As `keys`; whose key is not among them is looked for once more among those that `newer` brings. */
export const orNewer =
  (keys: GrantKeys, newer: () => Promise<GrantKeys>): GrantKeys =>
  async (...args) => {
    try {
      return await keys(...args);
    } catch (err) {
      if (err instanceof errors.JWKSNoMatchingKey) return (await newer())(...args);
      throw err;
    }
  };

export interface GrantBearer {
  tenant: string;
  deviceId: string;
  contentId: string;
}

/**
 * The claims of the grant in an `Authorization` header, if it lets `bearer` begin a range now.
 * @param now milliseconds
 * @throws CampaignError `grant.missing`, `grant.malformed` (form or signature), `grant.foreign` (another device's, or for another content), `grant.expired`
 */
export async function verifyGrant(
  authorization: string | undefined,
  keys: GrantKeys,
  bearer: GrantBearer,
  now: number,
): Promise<GrantClaims> {
  const [scheme, jws, ...rest] = authorization?.split(' ') ?? [];
  if (scheme !== GRANT_SCHEME || jws === undefined || rest.length > 0)
    throw new CampaignError('grant.missing', {}, 'send Authorization: Grant <jws>');
  const claims = await open(jws, keys);
  if (claims.tenant !== bearer.tenant || claims.sub !== bearer.deviceId || claims.content !== bearer.contentId)
    throw new CampaignError('grant.foreign', {}, 'the grant is for another device or content');
  if (claims.req !== requestHash(claims.sub, claims.content, claims.campaign))
    throw new CampaignError('grant.malformed', {}, 'the grant does not name its request');
  if (claims.exp * 1000 <= now)
    throw new CampaignError('grant.expired', { exp: claims.exp }, 'ask again for the same content and resume');
  return claims;
}

async function open(jws: string, keys: GrantKeys): Promise<GrantClaims> {
  try {
    const { payload } = await compactVerify(jws, keys, { algorithms: ['EdDSA'] });
    return JSON.parse(new TextDecoder().decode(payload)) as GrantClaims; // signed by us: its shape is ours
  } catch (err) {
    if (err instanceof errors.JOSEError || err instanceof TypeError || err instanceof SyntaxError)
      throw new CampaignError('grant.malformed', {}, 'the grant is not one of ours');
    throw err;
  }
}
