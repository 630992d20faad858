import { createHash } from 'node:crypto';
import { guarded } from '#runtime/index.js';
import { keysOfDelegate } from './delegation.js';
import { TufError } from './errors.js';
import { isSignedBy, type TufKey } from './keys.js';
import {
  type MetaFile,
  type RoleKeys,
  type Root,
  type Snapshot,
  type Targets,
  type Timestamp,
  type TopLevelRole,
  type Unverified,
} from './metadata.js';
import { parseMetadata } from './parse.js';

/** What may delegate: root to the top-level roles, a targets role to others. */
type Delegator = Root | Targets;

/**
 * Every check of the client workflow, without I/O: bytes in, trusted metadata or a `TufError` out. Steps are those of the
 * TUF specification 1.0, §5. A refused file leaves what was trusted before.
 *
 * Not checked here: how much is downloaded (the driver stops after the length it is told) and where files are kept.
 */
export class TrustedSet {
  #root: Root;
  #timestamp: Timestamp | undefined;
  #snapshot: Snapshot | undefined;
  /** By the delegator that vouches for it, not by name: two delegators may use one role name, each with its own keys. */
  readonly #targets = new Map<Delegator, Map<string, Targets>>();

  /**
   * @param root the trusted root: it vouches for itself, and may have expired (5.3.10 looks at the last one only)
   * @param now start of the update, fixed for all expiry checks (5.1), milliseconds
   */
  constructor(
    root: Uint8Array,
    readonly now: number,
  ) {
    const own = parseMetadata(root, 'root');
    verifyThreshold(own, 'root', own.signed);
    this.#root = own.signed;
  }

  get root(): Root {
    return this.#root;
  }
  get timestamp(): Timestamp | undefined {
    return this.#timestamp;
  }
  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  /** 5.3.4 to 5.3.7: the next root. Expired intermediate ones are fine. */
  updateRoot(bytes: Uint8Array): Root {
    const next = parseMetadata(bytes, 'root');
    verifyThreshold(next, 'root', this.#root); // 5.3.4: signed by the root before …
    verifyThreshold(next, 'root', next.signed); // … and by itself
    const expected = this.#root.version + 1;
    if (next.signed.version !== expected) throw versionMismatch('root', expected, next.signed.version); // 5.3.5
    this.#root = next.signed;
    return next.signed;
  }

  /** 5.3.10: no freeze at an old root. */
  checkFinalRoot(): void {
    this.#checkExpiry('root', this.#root);
  }

  /**
   * 5.4.2 and 5.4.3: `'same'` when the version is the trusted one, whose content then stays. Expiry is not checked here:
   * an expired trusted timestamp still protects against rollback (see `checkFinalTimestamp`).
   */
  updateTimestamp(bytes: Uint8Array): 'new' | 'same' {
    const next = this.#read(bytes, 'timestamp');
    const trusted = this.#timestamp;
    if (trusted !== undefined) {
      if (next.version < trusted.version) throw rollback('timestamp', trusted.version, next.version); // 5.4.3.1
      if (next.version === trusted.version) return 'same';
      if (next.snapshot.version < trusted.snapshot.version)
        throw rollback('snapshot', trusted.snapshot.version, next.snapshot.version); // 5.4.3.2
    }
    this.#timestamp = next;
    return 'new';
  }

  /** 5.4.4: no freeze. */
  checkFinalTimestamp(): void {
    this.#checkExpiry('timestamp', this.#trusted('timestamp'));
  }

  /**
   * 5.5.2 to 5.5.5. Neither expiry nor the version is checked here, so that an older kept snapshot protects against
   * rollback (see `checkFinalSnapshot`).
   * @param kept the bytes are our own copy, verified when it came: the timestamp may have moved on since
   */
  updateSnapshot(bytes: Uint8Array, { kept = false } = {}): Snapshot {
    this.checkFinalTimestamp();
    if (!kept) verifyFile('snapshot', this.#trusted('timestamp').snapshot, bytes); // 5.5.2
    const next = this.#read(bytes, 'snapshot'); // 5.5.3
    if (this.#snapshot !== undefined) checkSnapshotRollback(this.#snapshot, next); // 5.5.5
    this.#snapshot = next;
    return next;
  }

  /**
   * 5.5.4 and 5.5.6: the snapshot that the timestamp names, and no freeze.
   * @param bytes of a kept snapshot: it is the final one only if it has the announced digest too (mix-and-match)
   */
  checkFinalSnapshot(bytes?: Uint8Array): void {
    const announced = this.#trusted('timestamp').snapshot;
    const trusted = this.#trusted('snapshot');
    if (trusted.version !== announced.version) throw versionMismatch('snapshot', announced.version, trusted.version); // 5.5.4
    if (bytes !== undefined) verifyFile('snapshot', announced, bytes);
    this.#checkExpiry('snapshot', trusted); // 5.5.6
  }

  /** What the final snapshot says of a targets role. @throws TufError `tuf.unknown-role` */
  announced(role: string): MetaFile {
    const file = this.#trusted('snapshot').meta.get(role);
    if (file === undefined) throw new TufError('tuf.unknown-role', { role }, `${role} is not in the snapshot`);
    return file;
  }

  /** The trusted targets metadata of `role` as `delegator` vouches for it, if it was loaded. */
  targets(role = 'targets', delegator: Delegator = this.#root): Targets | undefined {
    return this.#targets.get(delegator)?.get(role);
  }

  /** 5.6.2 to 5.6.5, for `targets` and, with its delegator, for a delegated role alike (5.6.7). */
  updateTargets(bytes: Uint8Array, role = 'targets', delegator: Delegator = this.#root): Targets {
    this.checkFinalSnapshot();
    const announced = this.announced(role);
    verifyFile(role, announced, bytes); // 5.6.2
    const next = parseMetadata(bytes, 'targets', role);
    verifyThreshold(next, role, delegator); // 5.6.3
    if (next.signed.version !== announced.version) throw versionMismatch(role, announced.version, next.signed.version); // 5.6.4
    this.#checkExpiry(role, next.signed); // 5.6.5
    const known = this.#targets.get(delegator) ?? new Map<string, Targets>();
    this.#targets.set(delegator, known.set(role, next.signed));
    return next.signed;
  }

  #read<T extends 'timestamp' | 'snapshot'>(bytes: Uint8Array, role: T): Unverified<T>['signed'] {
    const next = parseMetadata(bytes, role);
    verifyThreshold(next, role, this.#root); // 5.4.2, 5.5.3
    return next.signed;
  }

  #trusted<T extends 'timestamp' | 'snapshot'>(role: T): Unverified<T>['signed'] {
    const found = role === 'timestamp' ? this.#timestamp : this.#snapshot;
    if (found === undefined) throw new TufError('tuf.unavailable', { role }, `${role} is not loaded yet`);
    return found as Unverified<T>['signed'];
  }

  /** A file is expired from the second that it names (python-tuf reads it so too). */
  #checkExpiry(role: string, { expires }: { expires: number }): void {
    if (this.now < expires) return;
    const at = new Date(expires).toISOString();
    throw new TufError('tuf.expired', { role, expires: at }, `${role} expired at ${at}`);
  }
}

/**
 * Enough valid signatures by distinct keys. A key counts once, under whatever ids it is listed; unreadable signatures
 * and keys of unknown schemes count nothing.
 */
function verifyThreshold(metadata: Unverified, role: string, delegator: Delegator): void {
  const [keys, needs] = delegation(role, delegator);
  const signedBy = new Set<string>();
  for (const keyId of needs?.keyIds ?? []) {
    const key = keys.get(keyId);
    const signature = metadata.signatures.get(keyId);
    if (key !== undefined && signature !== undefined && isSignedBy(key, metadata.payload, signature))
      signedBy.add(key.keyval.public.toLowerCase());
  }
  const threshold = needs?.threshold ?? 1;
  if (signedBy.size >= threshold || !guarded('signature')) return;
  const counts = `${signedBy.size} of ${threshold} signatures`;
  throw new TufError('tuf.threshold', { role, valid: signedBy.size, threshold }, `${role} has ${counts}`);
}

function delegation(role: string, delegator: Delegator): [ReadonlyMap<string, TufKey>, RoleKeys | undefined] {
  if (delegator.type === 'root') return [delegator.keys, delegator.roles.get(role as TopLevelRole)];
  const { delegations } = delegator;
  return delegations === undefined ? [new Map(), undefined] : [delegations.keys, keysOfDelegate(delegations, role)];
}

/** No role goes back or away. The snapshot's own version too: a torn timestamp must not open it to an older one. */
function checkSnapshotRollback(trusted: Snapshot, next: Snapshot): void {
  if (next.version < trusted.version) throw rollback('snapshot', trusted.version, next.version);
  for (const [role, { version }] of trusted.meta) {
    const offered = next.meta.get(role)?.version;
    if (offered === undefined || offered < version) throw rollback(role, version, offered);
  }
}

/**
 * Length and every announced digest. An algorithm that we cannot compute is a mismatch.
 * @throws TufError `tuf.length-mismatch`, `tuf.hash-mismatch`
 */
export function verifyFile(role: string, announced: Omit<MetaFile, 'version'>, bytes: Uint8Array): void {
  const { length, hashes = {} } = announced;
  if (length !== undefined && bytes.length !== length)
    throw new TufError(
      'tuf.length-mismatch',
      { role, expected: length, length: bytes.length },
      `${role}: wrong length`,
    );
  for (const [algorithm, digest] of Object.entries(hashes)) {
    const known = algorithm === 'sha256' || algorithm === 'sha512';
    if (!known || createHash(algorithm).update(bytes).digest('hex') !== digest.toLowerCase())
      throw new TufError('tuf.hash-mismatch', { role, algorithm }, `${role}: ${algorithm} differs`);
  }
}

const rollback = (role: string, trusted: number, offered: number | undefined): TufError =>
  new TufError(
    'tuf.rollback',
    { role, trusted, offered },
    `${role}: version ${trusted} is trusted, ${offered} offered`,
  );

const versionMismatch = (role: string, expected: number, version: number): TufError =>
  new TufError('tuf.version-mismatch', { role, expected, version }, `${role}: version ${version}, not ${expected}`);
