import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  scrypt,
  type ScryptOptions,
  sign,
} from 'node:crypto';
import { TufError } from './errors.js';
import { keyIdOf, type TufKey } from './keys.js';

/** An Ed25519 key pair that signs. The private half is not reachable but by `exportSigner` and `sealSigner`. */
export interface Signer {
  readonly keyId: string;
  readonly public: TufKey;
  sign(bytes: Uint8Array): Uint8Array;
}

class Ed25519Signer implements Signer {
  readonly public: TufKey;
  readonly keyId: string;
  readonly #key: KeyObject;

  constructor(key: KeyObject) {
    this.#key = key;
    const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
    this.public = {
      keytype: 'ed25519',
      scheme: 'ed25519',
      keyval: { public: spki.subarray(-32).toString('hex') }, // the raw key ends the DER (RFC 8410 §4)
    };
    this.keyId = keyIdOf(this.public);
  }

  sign(bytes: Uint8Array): Uint8Array {
    return sign(null, bytes, this.#key);
  }

  pkcs8(): Uint8Array {
    return this.#key.export({ format: 'der', type: 'pkcs8' });
  }
}

export const generateSigner = (): Signer => new Ed25519Signer(generateKeyPairSync('ed25519').privateKey);

/** The private key in the clear (PKCS#8 DER): for a keyring that encrypts what it is given, never for a file. */
export function exportSigner(signer: Signer): Uint8Array {
  if (!(signer instanceof Ed25519Signer)) throw new TufError('tuf.key-malformed', { reason: 'not a key of ours' });
  return signer.pkcs8();
}

/** @throws TufError `tuf.key-malformed` unless the bytes are an Ed25519 private key in PKCS#8 DER */
export function importSigner(pkcs8: Uint8Array): Signer {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
  } catch {
    throw new TufError('tuf.key-malformed', { reason: 'not PKCS#8' }); // the cause may quote the input
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new TufError('tuf.key-malformed', { reason: 'not Ed25519' });
  return new Ed25519Signer(key);
}

/** scrypt at 128 MiB a guess (OWASP's recommendation for offline guessing: N = 2^17, r = 8, p = 1). */
const COST = { N: 2 ** 17, r: 8, p: 1 } as const;
const MAX_COST = 2 ** 20;

/** A private key under a passphrase, as the JSON text of a file. Binary fields are base64. */
interface SealedSigner {
  muster: 'tuf-key';
  keyId: string;
  public: TufKey;
  kdf: { name: 'scrypt'; salt: string; N: number; r: number; p: number };
  cipher: 'aes-256-gcm';
  nonce: string;
  /** Ciphertext, then the 16-byte tag; the key id is authenticated with it. */
  sealed: string;
}

/** Encrypts an offline key for its holder. The text may lie anywhere; without the passphrase it opens nothing. */
export async function sealSigner(signer: Signer, passphrase: string): Promise<string> {
  const salt = randomBytes(16);
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', await derive(passphrase, salt, COST), nonce);
  cipher.setAAD(Buffer.from(signer.keyId, 'utf8'));
  const sealed = Buffer.concat([cipher.update(exportSigner(signer)), cipher.final(), cipher.getAuthTag()]);
  const file: SealedSigner = {
    muster: 'tuf-key',
    keyId: signer.keyId,
    public: signer.public,
    kdf: { name: 'scrypt', salt: salt.toString('base64'), ...COST },
    cipher: 'aes-256-gcm',
    nonce: nonce.toString('base64'),
    sealed: sealed.toString('base64'),
  };
  return `${JSON.stringify(file, null, 1)}\n`;
}

/** @throws TufError `tuf.key-malformed` (not such a file), `tuf.passphrase` (wrong passphrase, or the file was changed) */
export async function openSigner(text: string, passphrase: string): Promise<Signer> {
  const file = sealedSigner(text);
  const key = await derive(passphrase, Buffer.from(file.kdf.salt, 'base64'), file.kdf);
  const sealed = Buffer.from(file.sealed, 'base64');
  let pkcs8: Buffer;
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(file.nonce, 'base64'), { authTagLength: 16 });
    decipher.setAAD(Buffer.from(file.keyId, 'utf8'));
    decipher.setAuthTag(sealed.subarray(-16));
    pkcs8 = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
  } catch {
    throw new TufError('tuf.passphrase', { keyId: file.keyId }, 'wrong passphrase, or a changed file');
  }
  return importSigner(pkcs8);
}

function sealedSigner(text: string): SealedSigner {
  const broken = (reason: string) => new TufError('tuf.key-malformed', { reason });
  let file: Partial<SealedSigner> | null;
  try {
    file = JSON.parse(text) as Partial<SealedSigner> | null;
  } catch {
    throw broken('not JSON');
  }
  if (file?.muster !== 'tuf-key' || file.cipher !== 'aes-256-gcm') throw broken('not a key file');
  const { kdf, keyId, nonce, sealed } = file;
  if (![keyId, nonce, sealed, kdf?.salt].every((field) => typeof field === 'string'))
    throw broken('a field is missing');
  if (!isAffordable(kdf)) throw broken('scrypt parameters out of range');
  return file as SealedSigner;
}

/** A file must not choose how much memory opening it takes (N · r · 128 bytes). */
function isAffordable(kdf: SealedSigner['kdf'] | undefined): boolean {
  const { name, N, r, p } = kdf ?? {};
  const within = (value: unknown, least: number, most: number) =>
    Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
  return name === 'scrypt' && within(N, 2, MAX_COST) && within(r, 1, 16) && within(p, 1, 4);
}

function derive(
  passphrase: string,
  salt: Uint8Array,
  cost: Required<Pick<ScryptOptions, 'N' | 'r' | 'p'>>,
): Promise<Buffer> {
  const options = { N: cost.N, r: cost.r, p: cost.p, maxmem: 256 * cost.N * cost.r };
  return new Promise((resolve, reject) => {
    scrypt(passphrase.normalize('NFC'), salt, 32, options, (error, key) => (error ? reject(error) : resolve(key)));
  });
}
