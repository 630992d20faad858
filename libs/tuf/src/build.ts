import { createHash } from 'node:crypto';
import { canonicalJson, type Json, type JsonObject } from './canonical-json.js';
import { binNames, binOf } from './delegation.js';
import { malformed, TufError } from './errors.js';
import { keyIdOf, type TufKey } from './keys.js';
import { isTopLevelRole, type MetaFile, type Scope, type TargetFile, type TopLevelRole } from './metadata.js';
import { type Signer } from './signer.js';

/** A role file's size and number of targets: readers in JavaScript take quadratic time above (DECISIONS.md). */
export const MAX_ROLE_BYTES = 524_288;
export const MAX_TARGETS = 1_000;

/** The `signed` part of a metadata file, as JSON. */
export type SignedJson = JsonObject & { readonly _type: TopLevelRole; readonly version: number };

/** What every role file says. `expires` in milliseconds; TUF keeps whole seconds. */
export interface Lifetime {
  version: number;
  expires: number;
}

/** Keys of one role, all of them, and how many must sign. */
export interface RoleHolders {
  keys: readonly TufKey[];
  threshold: number;
}

function header<T extends TopLevelRole>(_type: T, { version, expires }: Lifetime) {
  if (!Number.isSafeInteger(version) || version < 1) throw malformed(_type, '/version', 'is not an integer from 1');
  const at = new Date(expires).toISOString();
  return { _type, spec_version: '1.0.31', version, expires: `${at.slice(0, 19)}Z` };
}

export function buildRoot(
  options: Lifetime & { roles: Readonly<Record<TopLevelRole, RoleHolders>>; consistentSnapshot?: boolean },
): SignedJson {
  const { roles, consistentSnapshot = true } = options;
  const holders = Object.values(roles);
  return {
    ...header('root', options),
    consistent_snapshot: consistentSnapshot,
    keys: keyTable(holders),
    roles: Object.fromEntries(Object.entries(roles).map(([name, role]) => [name, roleJson(name, role)])),
  };
}

export const buildTimestamp = (options: Lifetime & { snapshot: MetaFile }): SignedJson => ({
  ...header('timestamp', options),
  meta: { 'snapshot.json': metaJson(options.snapshot) },
});

/** @param options.meta by role name: `targets` and every delegated role, gone ones too (readers refuse a role's removal) */
export const buildSnapshot = (options: Lifetime & { meta: Iterable<readonly [string, MetaFile]> }): SignedJson => ({
  ...header('snapshot', options),
  meta: Object.fromEntries([...options.meta].map(([role, file]) => [`${role}.json`, metaJson(file)])),
});

/** Top-level targets or a delegated role. @throws TufError `tuf.too-many-targets` */
export function buildTargets(
  options: Lifetime & { targets: readonly TargetFile[]; delegations?: DelegationsJson },
): SignedJson {
  const { targets, delegations } = options;
  if (targets.length > MAX_TARGETS)
    throw new TufError('tuf.too-many-targets', { targets: targets.length, limit: MAX_TARGETS });
  return {
    ...header('targets', options),
    targets: Object.fromEntries(targets.map(({ path, ...file }) => [path, defined(file)])),
    ...(delegations === undefined ? {} : { delegations }),
  };
}

/** `delegations` of a targets role, as JSON; made by `delegateTo` and `delegateToBins`. */
export type DelegationsJson = JsonObject;

export type NewDelegation = RoleHolders & Scope & { name: string; terminating?: boolean };

/** Delegations in order of trust. @throws TufError `tuf.role-name` for a top-level role's name or a double */
export function delegateTo(roles: readonly NewDelegation[]): DelegationsJson {
  const names = new Set<string>();
  for (const { name } of roles) {
    if (name === '' || isTopLevelRole(name) || names.has(name)) throw new TufError('tuf.role-name', { role: name });
    names.add(name);
  }
  return {
    keys: keyTable(roles),
    roles: roles.map((role) => ({
      name: role.name,
      ...roleJson(role.name, role),
      terminating: role.terminating ?? false,
      ...('paths' in role ? { paths: role.paths } : { path_hash_prefixes: role.pathHashPrefixes }),
    })),
  };
}

/** Hash bins for more targets than one file holds (TAP 15). The bins' names are `<namePrefix>-<hex>`. */
export function delegateToBins(bins: RoleHolders & { bitLength: number; namePrefix: string }): DelegationsJson {
  const { bitLength, namePrefix } = bins;
  return {
    keys: keyTable([bins]),
    succinct_roles: { ...roleJson(namePrefix, bins), bit_length: bitLength, name_prefix: namePrefix },
  };
}

/** What a role file needs beside its targets: header, delegations and signatures. */
const HEADROOM_BYTES = 8_192;
/** 2,048 bins: more would not fit into the snapshot, which names each in about 140 bytes. */
const MAX_BITS = 11;

/**
 * Spreads targets over the fewest bins that hold at most `limit` of them, and no more bytes than a role file may have.
 * Every bin is in the answer, empty ones too: a reader needs it to learn that a path is not there.
 * @param options.leastBits as published before: bins are not taken back, for readers refuse a role's removal
 * @returns undefined when one file is enough
 * @throws TufError `tuf.too-many-targets`
 */
export function spreadOverBins(
  targets: readonly TargetFile[],
  namePrefix: string,
  { limit = MAX_TARGETS, leastBits = 0 } = {},
): { bitLength: number; bins: ReadonlyMap<string, readonly TargetFile[]> } | undefined {
  const sizes = new Map(targets.map((target) => [target, Buffer.byteLength(JSON.stringify(target))]));
  const fits = (file: readonly TargetFile[]) =>
    file.length <= limit && file.reduce((sum, target) => sum + sizes.get(target)!, HEADROOM_BYTES) <= MAX_ROLE_BYTES;
  if (leastBits === 0 && fits(targets)) return undefined;
  for (let bitLength = Math.max(1, leastBits); bitLength <= MAX_BITS; bitLength++) {
    const bins = new Map<string, TargetFile[]>();
    for (const name of binNames({ bitLength, namePrefix })) bins.set(name, []);
    for (const target of targets) bins.get(binOf({ bitLength, namePrefix }, target.path))!.push(target);
    if ([...bins.values()].every(fits)) return { bitLength, bins };
  }
  throw new TufError('tuf.too-many-targets', { targets: targets.length });
}

/**
 * Signs and serialises a role file. Every signer signs; whether that reaches a threshold is the delegator's matter.
 * @throws TufError `tuf.malformed` (no canonical form, e.g. a fraction in `custom`), `tuf.too-large`
 */
export function signMetadata(signed: SignedJson, signers: readonly Signer[]): Uint8Array {
  const payload = canonicalJson(signed);
  const signatures = signers.map((signer) => ({
    keyid: signer.keyId,
    sig: Buffer.from(signer.sign(payload)).toString('hex'),
  }));
  const bytes = Buffer.from(JSON.stringify({ signatures, signed }), 'utf8');
  if (bytes.length > MAX_ROLE_BYTES)
    throw new TufError('tuf.too-large', { role: signed._type, bytes: bytes.length, limit: MAX_ROLE_BYTES });
  return bytes;
}

/** What snapshot and timestamp say of a file. */
export const metaOf = (version: number, bytes: Uint8Array): MetaFile => ({
  version,
  length: bytes.length,
  hashes: { sha256: sha256(bytes) },
});

/** A target for bytes at hand. */
export const targetOf = (path: string, bytes: Uint8Array, custom?: JsonObject): TargetFile =>
  custom === undefined
    ? { path, length: bytes.length, hashes: { sha256: sha256(bytes) } }
    : { path, length: bytes.length, hashes: { sha256: sha256(bytes) }, custom };

function keyTable(holders: readonly RoleHolders[]): JsonObject {
  const table = holders.flatMap(({ keys }) => keys.map((key) => [keyIdOf(key), { ...key }] as const));
  return Object.fromEntries(table);
}

function roleJson(name: string, { keys, threshold }: RoleHolders): JsonObject {
  const keyids = [...new Set(keys.map(keyIdOf))];
  if (threshold < 1 || threshold > keyids.length)
    throw malformed(name, '/threshold', `${threshold} of ${keyids.length} keys can never sign`);
  return { keyids, threshold };
}

const metaJson = (file: MetaFile): JsonObject => defined({ ...file });

const defined = (fields: Readonly<Record<string, Json | undefined>>): JsonObject =>
  Object.fromEntries(Object.entries(fields).filter((field): field is [string, Json] => field[1] !== undefined));

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
