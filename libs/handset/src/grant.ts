import { createHash, type KeyObject, verify } from 'node:crypto';
import { type GrantClaims } from '#device-protocol/index.js';
import { HandsetError } from './errors.js';
import { hasFields, parseJson } from './store.js';

/** The target `policy/grant-keys`: a JWK set (RFC 7517) of Ed25519 keys, each with its `kid`. */
export type GrantKeys = ReadonlyMap<string, KeyObject>;

/** What the grant must be about. */
export interface GrantSubject {
  deviceId: string;
  contentId: string;
  campaignId: string;
}

/**
 * Checks a grant before it is used: an answer that was meant for another device, content or campaign is refused here,
 * whoever brought it. Expiry is left to the server: only its clock counts for the start of a transfer.
 * @throws HandsetError `grant.malformed`, `grant.signature`, `grant.other-device`, `grant.other-content`
 */
export function checkGrant(jws: string, keys: GrantKeys, subject: GrantSubject): GrantClaims {
  const [header, payload, signature, ...more] = jws.split('.');
  if (header === undefined || payload === undefined || signature === undefined || more.length > 0)
    throw new HandsetError('grant.malformed');
  const protectedHeader = parseJson(Buffer.from(header, 'base64url'));
  const claims = parseJson(Buffer.from(payload, 'base64url'));
  if (!isHeader(protectedHeader) || !isClaims(claims)) throw new HandsetError('grant.malformed');
  const key = keys.get(protectedHeader.kid);
  const isSigned =
    key !== undefined && verify(null, Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url'));
  if (!isSigned) throw new HandsetError('grant.signature', { kid: protectedHeader.kid });
  if (claims.sub !== subject.deviceId) throw new HandsetError('grant.other-device');
  const isSame = claims.content === subject.contentId && claims.campaign === subject.campaignId;
  if (!isSame || claims.req !== requestHash(subject)) throw new HandsetError('grant.other-content');
  return claims;
}

/** sha-256 (base64url) of the canonical request. */
export const requestHash = ({ deviceId, contentId, campaignId }: GrantSubject): string =>
  createHash('sha256').update(`${deviceId}\n${contentId}\n${campaignId}`).digest('base64url');

const isHeader = (value: unknown): value is { alg: 'EdDSA'; kid: string } =>
  hasFields(value, 'alg', 'kid') && (value.alg === 'EdDSA' || value.alg === 'Ed25519') && typeof value.kid === 'string';

const isClaims = (value: unknown): value is GrantClaims => hasFields(value, 'sub', 'content', 'req');
