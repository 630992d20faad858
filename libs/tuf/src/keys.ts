import { constants, createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { canonicalJson } from './canonical-json.js';

/** A public key as metadata carries it. `keyval.public` is hex for Ed25519, PEM for the others. */
export interface TufKey {
  readonly keytype: string;
  readonly scheme: string;
  readonly keyval: { readonly public: string };
}

/** Id of a key: sha-256 (hex) of its canonical JSON. We make ids so; readers take ids as they are (TAP 12). */
export const keyIdOf = (key: TufKey): string => createHash('sha256').update(canonicalJson(key)).digest('hex');

/** The DER that stands before the 32 raw bytes of an Ed25519 public key (RFC 8410 §4). */
const ED25519_SPKI = Buffer.from('302a300506032b6570032100', 'hex');

type Check = (key: TufKey, data: Uint8Array, signature: Uint8Array) => boolean;

const ecdsa: Check = (key, data, signature) => {
  const publicKey = createPublicKey(key.keyval.public);
  if (publicKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return false;
  return verify('sha256', data, { key: publicKey, dsaEncoding: 'der' }, signature);
};

const rsaPss: Check = (key, data, signature) => {
  const publicKey = createPublicKey(key.keyval.public);
  if (publicKey.asymmetricKeyType !== 'rsa' || (publicKey.asymmetricKeyDetails?.modulusLength ?? 0) < 2048)
    return false;
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO };
  return verify('sha256', data, { key: publicKey, ...pss }, signature);
};

/** All that is known of a scheme, by `keytype/scheme`. We sign with Ed25519; roots of others may hold the rest. */
const SCHEMES = new Map<string, Check>([
  ['ed25519/ed25519', (key, data, signature) => verify(null, data, ed25519PublicKey(key.keyval.public), signature)],
  ['ecdsa/ecdsa-sha2-nistp256', ecdsa],
  ['ecdsa-sha2-nistp256/ecdsa-sha2-nistp256', ecdsa], // the key type's old name
  ['rsa/rsassa-pss-sha256', rsaPss],
]);

function ed25519PublicKey(hex: string): KeyObject {
  if (!/^[0-9a-f]{64}$/i.test(hex)) throw new TypeError('an Ed25519 public key is 32 bytes');
  return createPublicKey({
    key: Buffer.concat([ED25519_SPKI, Buffer.from(hex, 'hex')]),
    format: 'der',
    type: 'spki',
  });
}

/**
 * True when `signature` (hex) over `data` was made by `key`. An unknown scheme, an unreadable key or a signature that is
 * not hex is an invalid signature and no error: other signatures may still reach the threshold.
 */
export function isSignedBy(key: TufKey, data: Uint8Array, signature: string): boolean {
  const check = SCHEMES.get(`${key.keytype}/${key.scheme}`);
  if (check === undefined || !/^(?:[0-9a-f]{2})+$/i.test(signature)) return false;
  try {
    return check(key, data, Buffer.from(signature, 'hex'));
  } catch {
    return false; // OpenSSL could not read the key
  }
}
