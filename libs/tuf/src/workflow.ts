import { allDelegates, delegatesFor } from './delegation.js';
import { TufError } from './errors.js';
import { type MetaFile, metadataName, type RoleKeys, type Root, type TargetFile, type Targets } from './metadata.js';
import { TrustedSet } from './trusted-set.js';

/**
 * What the workflow asks of its driver. Names are file names, safe on every file system, and unversioned where kept.
 * - `load`: the kept bytes of a file, undefined when there are none
 * - `store`: keep the bytes, whole or not at all, before answering; `remove`: forget the file and every older generation
 * - `fetch`: GET below the repository's address; undefined for 404 and 403, an exception for any other failure. Read
 *   `maxLength` + 1 bytes at most: the rules refuse the surplus, so an endless answer ends there
 */
export type TufRequest =
  | { readonly ask: 'load'; readonly name: string }
  | { readonly ask: 'store'; readonly name: string; readonly bytes: Uint8Array }
  | { readonly ask: 'remove'; readonly name: string }
  | { readonly ask: 'fetch'; readonly name: string; readonly role: string; readonly maxLength: number };

/** A workflow: yields requests, takes their answers (nothing for `store` and `remove`), returns its result. */
export type TufWorkflow<R> = Generator<TufRequest, R, Uint8Array | undefined>;

/** Bytes and counts that a repository cannot exceed, whatever it announces. */
export interface TufLimits {
  rootBytes: number;
  timestampBytes: number;
  snapshotBytes: number;
  targetsBytes: number;
  /** Root versions walked in one update. */
  rootRotations: number;
  /** Delegated roles visited for one path. */
  delegations: number;
  /** Roles loaded to list all targets. */
  listedRoles: number;
}

export const DEFAULT_LIMITS: TufLimits = {
  rootBytes: 524_288,
  timestampBytes: 16_384,
  snapshotBytes: 524_288,
  targetsBytes: 524_288,
  rootRotations: 256,
  delegations: 32,
  listedRoles: 4_096,
};

export interface TufClientOptions {
  /** The trusted root's bytes: the kept `root.json`, or the one that came with enrolment. */
  root: Uint8Array;
  /** The time, once; every expiry is measured against it (5.1). */
  now: number;
  limits?: Partial<TufLimits>;
}

/**
 * One update of one repository: refresh, then look targets up. Pure; every method with a star is a workflow for a driver
 * (`drive`). Kept files are treated as python-tuf treats them: used where they still verify, else fetched anew.
 */
export class TufClient {
  readonly trusted: TrustedSet;
  readonly #limits: TufLimits;

  /** @throws TufError `tuf.malformed`, `tuf.threshold` when the trusted root is none */
  constructor({ root, now, limits }: TufClientOptions) {
    this.trusted = new TrustedSet(root, now);
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
  }

  /** 5.3 to 5.6: root, timestamp, snapshot, targets. Each file is stored once it is trusted, also if a later one is not. */
  *refresh(): TufWorkflow<void> {
    yield* this.#root();
    yield* this.#timestamp();
    yield* this.#snapshot();
    yield* this.#targets('targets', this.trusted.root);
  }

  /**
   * Trusts what is kept, without the network: for answers while offline, and after a 304.
   * @throws TufError when a kept file is missing or does not verify any more, `tuf.expired` included
   */
  *loadKept(): TufWorkflow<void> {
    this.trusted.checkFinalRoot();
    this.trusted.updateTimestamp(yield* kept('timestamp'));
    this.trusted.checkFinalTimestamp();
    const snapshot = yield* kept('snapshot');
    this.trusted.updateSnapshot(snapshot);
    this.trusted.checkFinalSnapshot();
    this.trusted.updateTargets(yield* kept('targets'));
  }

  /**
   * 5.6.7: the first role, in pre-order, that lists the path. Loads the delegated roles that it passes.
   * @throws TufError `tuf.unknown-target` when none does
   */
  *target(path: string): TufWorkflow<TargetFile> {
    const found = yield* this.#find(path);
    if (found === undefined) throw new TufError('tuf.unknown-target', { path }, 'no trusted role lists this target');
    return found;
  }

  /**
   * Every target that `target` would find, among the paths with `prefix`. Loads all delegated roles.
   * @throws TufError `tuf.delegation-limit`
   */
  *targets(prefix = ''): TufWorkflow<TargetFile[]> {
    const paths = new Set<string>();
    const seen = new Set<string>();
    const toVisit: Visit[] = [{ role: 'targets', delegator: this.trusted.root }];
    for (let visit = toVisit.pop(); visit !== undefined; visit = toVisit.pop()) {
      if (seen.has(visit.role)) continue;
      if (seen.size >= this.#limits.listedRoles) throw tooMany(visit.role);
      seen.add(visit.role);
      const metadata = yield* this.#targets(visit.role, visit.delegator);
      for (const path of metadata.targets.keys()) if (path.startsWith(prefix)) paths.add(path);
      for (const role of allDelegates(metadata.delegations ?? NOTHING)) {
        if (toVisit.length > this.#limits.listedRoles) throw tooMany(role);
        toVisit.push({ role, delegator: metadata });
      }
    }
    // A role may list what it may not speak for: only the walk decides.
    const found: TargetFile[] = [];
    for (const path of paths) {
      const file = yield* this.#find(path);
      if (file !== undefined) found.push(file);
    }
    return found;
  }

  *#find(path: string): TufWorkflow<TargetFile | undefined> {
    const visited = new Set<string>();
    let toVisit: Visit[] = [{ role: 'targets', delegator: this.trusted.root }];
    for (let visit = toVisit.pop(); visit !== undefined; visit = toVisit.pop()) {
      if (visited.has(visit.role)) continue; // 5.6.7.1: no rings
      if (visited.size > this.#limits.delegations) throw tooMany(visit.role); // 5.6.7.1
      visited.add(visit.role);
      const metadata = yield* this.#targets(visit.role, visit.delegator);
      const found = metadata.targets.get(path);
      if (found !== undefined) return found;
      // 5.6.7.2: children in order of appearance; a terminating one that matches ends the search beyond it.
      const children: Visit[] = [];
      for (const { name, terminating } of delegatesFor(metadata.delegations ?? NOTHING, path)) {
        children.push({ role: name, delegator: metadata });
        if (!terminating) continue;
        toVisit = [];
        break;
      }
      toVisit.push(...children.reverse());
    }
    return undefined;
  }

  /** 5.3: one version after the other, until there is no next. */
  *#root(): TufWorkflow<void> {
    const { rootBytes, rootRotations } = this.#limits;
    for (let step = 0; step < rootRotations; step++) {
      const before = this.trusted.root;
      const bytes = yield* fetch('root', rootBytes, before.version + 1); // 5.3.3
      if (bytes === undefined) break;
      const next = this.trusted.updateRoot(bytes);
      if (isRotated(before, next)) {
        // 5.3.11: the keys that vouched for these may have fast-forwarded them. Before the store, so that no crash forgets it.
        yield { ask: 'remove', name: metadataName('timestamp') };
        yield { ask: 'remove', name: metadataName('snapshot') };
      }
      yield store('root', bytes); // 5.3.8
    }
    this.trusted.checkFinalRoot(); // 5.3.10
  }

  /** 5.4 */
  *#timestamp(): TufWorkflow<void> {
    const ours = yield load('timestamp');
    if (ours !== undefined) attempt(() => this.trusted.updateTimestamp(ours));
    const bytes = yield* required('timestamp', this.#limits.timestampBytes); // 5.4.1
    if (this.trusted.updateTimestamp(bytes) === 'same') return;
    this.trusted.checkFinalTimestamp();
    yield store('timestamp', bytes); // 5.4.5
  }

  /** 5.5 */
  *#snapshot(): TufWorkflow<void> {
    const ours = yield load('snapshot');
    const isFinal =
      ours !== undefined &&
      attempt(() => {
        this.trusted.updateSnapshot(ours, { kept: true });
        this.trusted.checkFinalSnapshot(ours);
      });
    if (isFinal) return;
    this.trusted.checkFinalTimestamp();
    const announced = this.trusted.timestamp!.snapshot; // loaded, or #timestamp had thrown
    const bytes = yield* this.#announced('snapshot', announced, this.#limits.snapshotBytes); // 5.5.1
    this.trusted.updateSnapshot(bytes);
    this.trusted.checkFinalSnapshot();
    yield store('snapshot', bytes); // 5.5.7
  }

  /** 5.6 for one role, unless it is trusted already as this delegator vouches for it. */
  *#targets(role: string, delegator: Root | Targets): TufWorkflow<Targets> {
    const known = this.trusted.targets(role, delegator);
    if (known !== undefined) return known;
    const ours = yield load(role);
    if (ours !== undefined && attempt(() => this.trusted.updateTargets(ours, role, delegator)))
      return this.trusted.targets(role, delegator)!;
    const bytes = yield* this.#announced(role, this.trusted.announced(role), this.#limits.targetsBytes); // 5.6.1
    const metadata = this.trusted.updateTargets(bytes, role, delegator);
    yield store(role, bytes); // 5.6.6
    return metadata;
  }

  #announced(role: string, { length, version }: MetaFile, limit: number): TufWorkflow<Uint8Array> {
    const maxLength = Math.min(length ?? limit, limit);
    return required(role, maxLength, this.trusted.root.consistentSnapshot ? version : undefined);
  }
}

interface Visit {
  role: string;
  delegator: Root | Targets;
}

const NOTHING = { keys: new Map<never, never>(), roles: [] };

const load = (role: string): TufRequest => ({ ask: 'load', name: metadataName(role) });
const store = (role: string, bytes: Uint8Array): TufRequest => ({ ask: 'store', name: metadataName(role), bytes });
const tooMany = (role: string): TufError => new TufError('tuf.delegation-limit', { role });

function* fetch(role: string, maxLength: number, version?: number): TufWorkflow<Uint8Array | undefined> {
  const bytes = yield { ask: 'fetch', name: metadataName(role, version), role, maxLength };
  if (bytes !== undefined && bytes.length > maxLength)
    throw new TufError('tuf.length-mismatch', { role, maxLength }, `${role}: longer than ${maxLength} bytes`);
  return bytes;
}

function* required(role: string, maxLength: number, version?: number): TufWorkflow<Uint8Array> {
  const bytes = yield* fetch(role, maxLength, version);
  if (bytes === undefined) throw new TufError('tuf.unavailable', { role, version }, `the repository has no ${role}`);
  return bytes;
}

function* kept(role: string): TufWorkflow<Uint8Array> {
  const bytes = yield load(role);
  if (bytes === undefined) throw new TufError('tuf.unavailable', { role }, `no ${role} is kept`);
  return bytes;
}

/** False when the rules refuse: a kept file that is not good any more is fetched anew. */
function attempt(step: () => unknown): boolean {
  try {
    step();
    return true;
  } catch (error) {
    if (error instanceof TufError) return false;
    throw error;
  }
}

/** A key of timestamp or snapshot was withdrawn. A key that is only added has not been in anyone's hands. */
function isRotated(before: Root, after: Root): boolean {
  const withdrawn = (role: 'timestamp' | 'snapshot') => {
    const still = new Set(publicKeys(after, after.roles.get(role)));
    return publicKeys(before, before.roles.get(role)).some((key) => !still.has(key));
  };
  return withdrawn('timestamp') || withdrawn('snapshot');
}

const publicKeys = ({ keys }: Root, role: RoleKeys | undefined): (string | undefined)[] =>
  role?.keyIds.map((keyId) => keys.get(keyId)?.keyval.public) ?? [];

/** What a driver is made of. `fetch` gets the role for its log line. See `TufRequest` for what each must do. */
export interface TufPorts {
  load(name: string): Promise<Uint8Array | undefined>;
  store(name: string, bytes: Uint8Array): Promise<void>;
  remove(name: string): Promise<void>;
  fetch(name: string, maxLength: number): Promise<Uint8Array | undefined>;
}

/** Runs a workflow over ports: `await drive(client.refresh(), ports)`. What a port throws ends the workflow. */
export async function drive<R>(workflow: TufWorkflow<R>, ports: TufPorts): Promise<R> {
  let step = workflow.next();
  while (step.done !== true) step = workflow.next(await answer(step.value, ports));
  return step.value;
}

async function answer(request: TufRequest, ports: TufPorts): Promise<Uint8Array | undefined> {
  switch (request.ask) {
    case 'load':
      return ports.load(request.name);
    case 'fetch':
      return ports.fetch(request.name, request.maxLength);
    case 'store':
      await ports.store(request.name, request.bytes);
      return undefined;
    case 'remove':
      await ports.remove(request.name);
      return undefined;
  }
}
