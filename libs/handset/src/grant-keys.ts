import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { type GrantKeys } from './grant.js';
import { parseJson } from './store.js';

/** Reads the target `policy/grant-keys`; keys of other kinds are left out. */
export function readGrantKeys(bytes: Uint8Array): GrantKeys {
  const set = parseJson(bytes);
  const keys = typeof set === 'object' && set !== null && 'keys' in set && Array.isArray(set.keys) ? set.keys : [];
  return new Map(keys.filter(isJwk).map((jwk) => [jwk.kid, createPublicKey({ key: jwk, format: 'jwk' })]));
}

const isJwk = (value: unknown): value is JsonWebKey & { kid: string } =>
  typeof value === 'object' &&
  value !== null &&
  'kid' in value &&
  typeof value.kid === 'string' &&
  'crv' in value &&
  value.crv === 'Ed25519';
