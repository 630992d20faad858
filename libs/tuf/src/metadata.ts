import { type JsonObject } from './canonical-json.js';
import { type TufKey } from './keys.js';

/** The four roles that every repository has. A delegated role never bears one of these names. */
export const TOP_LEVEL_ROLES = ['root', 'timestamp', 'snapshot', 'targets'] as const;
export type TopLevelRole = (typeof TOP_LEVEL_ROLES)[number];
export const isTopLevelRole = (name: string): name is TopLevelRole =>
  (TOP_LEVEL_ROLES as readonly string[]).includes(name);

/** Digests by algorithm (`sha256`, `sha512`), hex. */
export type Hashes = Readonly<Record<string, string>>;

/** What timestamp says of the snapshot and the snapshot of each targets role. */
export interface MetaFile {
  readonly version: number;
  readonly length?: number;
  readonly hashes?: Hashes;
}

/** One target. `custom` is what we and our handsets read; TUF does not look into it. */
export interface TargetFile {
  readonly path: string;
  readonly length: number;
  readonly hashes: Hashes;
  readonly custom?: JsonObject;
}

/** Whose signatures a role needs: `threshold` of distinct keys. */
export interface RoleKeys {
  readonly keyIds: readonly string[];
  readonly threshold: number;
}

/** Which target paths a delegated role may speak for: patterns (`*`, `?` within one path segment) or sha-256 prefixes. */
export type Scope = { readonly paths: readonly string[] } | { readonly pathHashPrefixes: readonly string[] };

export interface DelegatedRole extends RoleKeys {
  readonly name: string;
  readonly terminating: boolean;
  readonly scope: Scope;
}

/** Hash bins (TAP 15): 2^bitLength roles `<namePrefix>-<hex>`, each for the paths whose sha-256 begins with its bits. */
export interface HashBins extends RoleKeys {
  readonly bitLength: number;
  readonly namePrefix: string;
}

export interface Delegations {
  readonly keys: ReadonlyMap<string, TufKey>;
  /** In order of trust. Empty where there are bins. */
  readonly roles: readonly DelegatedRole[];
  readonly bins?: HashBins;
}

interface Signed {
  readonly version: number;
  /** Milliseconds since 1970. */
  readonly expires: number;
}

export interface Root extends Signed {
  readonly type: 'root';
  readonly consistentSnapshot: boolean;
  readonly keys: ReadonlyMap<string, TufKey>;
  readonly roles: ReadonlyMap<TopLevelRole, RoleKeys>;
}

export interface Timestamp extends Signed {
  readonly type: 'timestamp';
  readonly snapshot: MetaFile;
}

export interface Snapshot extends Signed {
  readonly type: 'snapshot';
  /** By role name, without `.json`. */
  readonly meta: ReadonlyMap<string, MetaFile>;
}

export interface Targets extends Signed {
  readonly type: 'targets';
  readonly targets: ReadonlyMap<string, TargetFile>;
  readonly delegations?: Delegations;
}

export interface Metadata {
  root: Root;
  timestamp: Timestamp;
  snapshot: Snapshot;
  targets: Targets;
}

/** Metadata as read, nothing verified yet. `payload` is what the signatures (hex, by key id) are over. */
export interface Unverified<T extends TopLevelRole = TopLevelRole> {
  readonly signed: Metadata[T];
  readonly payload: Uint8Array;
  readonly signatures: ReadonlyMap<string, string>;
}

/**
 * File name of a role's metadata: `3.targets.json`, or `targets.json` without a version (timestamp, and every file a
 * client keeps). Role names are percent-encoded (all but letters, digits and `_.-~`), so none leaves its folder.
 */
export function metadataName(role: string, version?: number): string {
  const encoded = encodeURIComponent(role).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return version === undefined ? `${encoded}.json` : `${version}.${encoded}.json`;
}

/**
 * Where a target's bytes lie below the repository's targets folder: `dir/<digest>.name` in a repository with consistent
 * snapshots, its path otherwise.
 */
export function targetName({ path, hashes }: TargetFile, consistentSnapshot = true): string {
  const digest = Object.values(hashes)[0];
  if (!consistentSnapshot || digest === undefined) return path;
  const slash = path.lastIndexOf('/') + 1;
  return `${path.slice(0, slash)}${digest}.${path.slice(slash)}`;
}
