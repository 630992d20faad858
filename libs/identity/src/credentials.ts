import { createHash, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { refusedField } from './errors.js';
import { isTenantId } from './tenant.js';

/**
 * Secrets that we make. Each names its tenant, so that no look-up ever crosses tenants, and ends in random bytes:
 * `<tenant>.<secret>` enrolment code or gateway token, `mss_<tenant>.<secret>` session, `mtk_<tenant>.<secret>` API token,
 * `mdt_<tenant>.<secret>` target token of a hawkBit client.
 */
const PREFIX = { code: '', session: 'mss_', token: 'mtk_', target: 'mdt_' } as const;
export type CredentialKind = keyof typeof PREFIX;

/** 144 bits for a code that someone may have to type, 256 for what programs carry. */
const SECRET_BYTES: Record<CredentialKind, number> = { code: 18, session: 32, token: 32, target: 32 };

const FORM = /^(mss_|mtk_|mdt_)?([a-z][a-z0-9-]{1,30})\.([A-Za-z0-9_-]{24,43})$/;

/** A credential to show once; only its hash is stored. */
export function newCredential(kind: CredentialKind, tenant: string): { text: string; hash: string } {
  return credentialOf(kind, tenant, randomBytes(SECRET_BYTES[kind]));
}

/**
 * The credential that a command makes, the same when it is given again: the answer that showed it may be lost, and it is
 * stored nowhere.
 * @param derive makes as many secret bytes of a name, e.g. from the key-encryption key
 */
export function commandCredential(
  kind: 'code' | 'token' | 'target',
  { tenant, commandId }: { tenant: string; commandId: string },
  derive: (name: string, length: number) => Uint8Array,
  index = 0,
): { text: string; hash: string } {
  return credentialOf(kind, tenant, derive(`${kind} ${index} of ${tenant} ${commandId}`, SECRET_BYTES[kind]));
}

function credentialOf(kind: CredentialKind, tenant: string, secret: Uint8Array): { text: string; hash: string } {
  const text = `${PREFIX[kind]}${tenant}.${Buffer.from(secret).toString('base64url')}`;
  return { text, hash: hashCredential(text) };
}

/** @returns undefined for anything that we cannot have made */
export function parseCredential(text: string): { kind: CredentialKind; tenant: string; hash: string } | undefined {
  const [, prefix = '', tenant = ''] = FORM.exec(text) ?? [];
  if (!isTenantId(tenant)) return undefined;
  const [kind = 'code' as const] = (Object.keys(PREFIX) as CredentialKind[]).filter((each) => PREFIX[each] === prefix);
  return { kind, tenant, hash: hashCredential(text) };
}

/** sha-256, hex. Enough at rest because the secret is random: nothing shorter than guessing 144 bits finds it. */
export const hashCredential = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');

/** scrypt: 16 MiB and about 50 ms a guess (N = 2^14, r = 8, p = 1), the figures kept beside the hash so that they can grow. */
const COST = { N: 16_384, r: 8, p: 1 };
const HASH_BYTES = 32;

/** `scrypt$N$r$p$salt$hash`, base64url. The password is normalised (NFKC), so that keyboards agree. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const hash = await derive(password, salt, COST);
  return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64url'), hash.toString('base64url')].join('$');
}

/**
 * Compares in constant time.
 * @param stored undefined when there is no such account: the same work is done, and the answer is false
 */
export async function verifyPassword(password: string, stored: string | undefined): Promise<boolean> {
  const [, N, r, p, salt, hash] = (stored ?? NOBODY).split('$');
  const cost = { N: Number(N), r: Number(r), p: Number(p) };
  const found = await derive(password, Buffer.from(salt ?? '', 'base64url'), cost);
  return timingSafeEqual(found, Buffer.from(hash ?? '', 'base64url')) && stored !== undefined;
}

/** What an unknown account is compared with. */
const NOBODY = [
  'scrypt',
  COST.N,
  COST.r,
  COST.p,
  'AAAAAAAAAAAAAAAAAAAAAA',
  Buffer.alloc(HASH_BYTES).toString('base64url'),
].join('$');

const derive = (password: string, salt: Buffer, cost: typeof COST): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    scrypt(password.normalize('NFKC'), salt, HASH_BYTES, cost, (err, key) => (err ? reject(err) : resolve(key)));
  });

/** @throws IdentityError `password.weak` */
export function checkPassword(password: string): string {
  const { length } = [...password];
  if (length >= 12 && length <= 256 && new Set(password).size >= 5) return password;
  throw refusedField('password.weak', '/password', '12 to 256 characters, at least 5 of them different');
}
