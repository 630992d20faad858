import {
  buildRoot,
  buildSnapshot,
  buildTargets,
  buildTimestamp,
  delegateTo,
  delegateToBins,
  type DelegationsJson,
  metaOf,
  type RoleHolders,
  type SignedJson,
  signMetadata,
  targetOf,
} from './build.js';
import { type JsonObject } from './canonical-json.js';
import { binNames } from './delegation.js';
import {
  isTopLevelRole,
  type MetaFile,
  metadataName,
  type Scope,
  type TargetFile,
  targetName,
  TOP_LEVEL_ROLES,
  type TopLevelRole,
} from './metadata.js';
import { generateSigner, type Signer } from './signer.js';
import { drive, TufClient, type TufLimits, type TufPorts } from './workflow.js';

const DAY = 86_400_000;

/** Noon of a day long before any key expires; tests move it. */
export const START = Date.UTC(2026, 0, 1, 12);

/** A role as its holder has it: everything may be changed before it is published. */
interface RoleState {
  version: number;
  expires: number;
  signers: Signer[];
  threshold: number;
}

interface TargetsState extends RoleState {
  targets: TargetFile[];
  delegations?: DelegationsJson;
}

/**
 * A TUF repository in memory. A test changes it, honestly or not, publishes, and lets a real client update: names of such
 * tests are attacks. Files are what a server would serve, by name; `files.set(…)` serves something else.
 */
export class RepositorySimulator {
  readonly files = new Map<string, Uint8Array>();
  /** Names fetched, in order. */
  readonly fetched: string[] = [];
  readonly roles: Record<Exclude<TopLevelRole, 'targets'>, RoleState>;
  readonly targets = new Map<string, TargetsState>();
  /** What the next snapshot and timestamp say; `publish` keeps them up to date. */
  readonly snapshotMeta = new Map<string, MetaFile>();
  timestampMeta: MetaFile = { version: 1 };
  consistentSnapshot = true;
  /** Set by tests that replace how a role file is signed or serialised. */
  tamper: (role: string, bytes: Uint8Array) => Uint8Array = (_role, bytes) => bytes;

  constructor(private readonly start = START) {
    this.roles = { root: this.#role(365), snapshot: this.#role(7), timestamp: this.#role(1) };
    this.targets.set('targets', { ...this.#role(90), targets: [] });
    this.#write('root');
    this.publishAll();
  }

  #role(days: number): RoleState {
    return { version: 1, expires: this.start + days * DAY, signers: [generateSigner()], threshold: 1 };
  }

  state(role: string): RoleState {
    return role === 'root' || role === 'snapshot' || role === 'timestamp' ? this.roles[role] : this.targetsOf(role);
  }

  targetsOf(role: string): TargetsState {
    const state = this.targets.get(role);
    if (state === undefined) throw new Error(`no such role: ${role}`);
    return state;
  }

  /** Lists a target in a role and serves its bytes. */
  addTarget(
    path: string,
    bytes: Uint8Array,
    { role = 'targets', custom = undefined as JsonObject | undefined } = {},
  ): void {
    const target = targetOf(path, bytes, custom);
    const state = this.targetsOf(role);
    state.targets = [...state.targets.filter((other) => other.path !== path), target];
    this.files.set(`targets/${targetName(target, this.consistentSnapshot)}`, bytes);
  }

  /** Delegates to new roles, each with a key of its own, instead of what `delegator` delegated before. */
  delegate(delegator: string, roles: readonly (Scope & { name: string; terminating?: boolean })[]): void {
    this.targetsOf(delegator).delegations = delegateTo(
      roles.map((role) => ({ ...role, ...this.#holders(this.#ensure(role.name)) })),
    );
  }

  delegateToBins(delegator: string, namePrefix: string, bitLength: number): void {
    const signers = [generateSigner()];
    for (const name of binNames({ namePrefix, bitLength }))
      this.targets.set(name, { ...this.#role(30), signers, targets: [] });
    const keys = signers.map((signer) => signer.public);
    this.targetsOf(delegator).delegations = delegateToBins({ keys, threshold: 1, namePrefix, bitLength });
  }

  #ensure(role: string): TargetsState {
    const state = this.targets.get(role) ?? { ...this.#role(30), targets: [] };
    this.targets.set(role, state);
    return state;
  }

  /** Replaces a role's keys in root: the holder lost them. Publish root to tell. */
  rotate(role: TopLevelRole): void {
    this.state(role).signers = [generateSigner()];
  }

  /** Signs and serves the next version of each role, in the order given. */
  publish(...roles: string[]): void {
    for (const role of roles) {
      this.state(role).version += 1;
      this.#write(role);
    }
  }

  /** The next version of every targets role, snapshot and timestamp. */
  publishTargets(): void {
    this.publish(...this.targets.keys(), 'snapshot', 'timestamp');
  }

  private publishAll(): void {
    for (const role of this.targets.keys()) this.#write(role);
    this.#write('snapshot');
    this.#write('timestamp');
  }

  /** Signs and serves a role's present version: for forgeries, e.g. of an old version. */
  rewrite(...roles: string[]): void {
    for (const role of roles) this.#write(role);
  }

  #write(role: string): void {
    const { version, signers } = this.state(role);
    const bytes = this.tamper(role, signMetadata(this.signed(role), signers));
    const versioned = role === 'root' || (role !== 'timestamp' && this.consistentSnapshot);
    this.files.set(metadataName(role, versioned ? version : undefined), bytes);
    if (role === 'snapshot') this.timestampMeta = metaOf(version, bytes);
    else if (!isTopLevelRole(role) || role === 'targets') this.snapshotMeta.set(role, metaOf(version, bytes));
  }

  /** The unsigned content of a role, as it would be published now. */
  signed(role: string): SignedJson {
    const state = this.state(role);
    if (role === 'root')
      return buildRoot({ ...state, roles: this.#rootRoles(), consistentSnapshot: this.consistentSnapshot });
    if (role === 'timestamp') return buildTimestamp({ ...state, snapshot: this.timestampMeta });
    if (role === 'snapshot') return buildSnapshot({ ...state, meta: this.snapshotMeta });
    return buildTargets(this.targetsOf(role));
  }

  #rootRoles(): Record<TopLevelRole, RoleHolders> {
    const entries = TOP_LEVEL_ROLES.map((role) => [role, this.#holders(this.state(role))]);
    return Object.fromEntries(entries) as Record<TopLevelRole, RoleHolders>;
  }

  #holders({ signers, threshold }: RoleState): RoleHolders {
    return { keys: signers.map((signer) => signer.public), threshold };
  }

  /** The bytes of a served file, for a store or a forgery. */
  file(name: string): Uint8Array {
    const bytes = this.files.get(name);
    if (bytes === undefined) throw new Error(`not served: ${name}`);
    return bytes;
  }
}

/** A client of a simulated repository: its store is a map, its clock a number. */
export class SimulatedClient {
  readonly store = new Map<string, Uint8Array>();

  constructor(
    private readonly repository: RepositorySimulator,
    public now = START,
    private readonly limits: Partial<TufLimits> = {},
  ) {
    this.store.set('root.json', repository.file('1.root.json'));
  }

  readonly ports: TufPorts = {
    load: (name) => Promise.resolve(this.store.get(name)),
    store: (name, bytes) => Promise.resolve(void this.store.set(name, bytes)),
    remove: (name) => Promise.resolve(void this.store.delete(name)),
    fetch: (name, maxLength) => {
      this.repository.fetched.push(name);
      return Promise.resolve(this.repository.files.get(name)?.subarray(0, maxLength + 1));
    },
  };

  /** A new update, from what is kept. */
  client(): TufClient {
    return new TufClient({ root: this.store.get('root.json')!, now: this.now, limits: this.limits });
  }

  async refresh(): Promise<TufClient> {
    const client = this.client();
    await drive(client.refresh(), this.ports);
    return client;
  }

  /** Refreshes and looks a target up. */
  async target(path: string): Promise<TargetFile> {
    return drive((await this.refresh()).target(path), this.ports);
  }

  /** Version of a kept file. */
  version(role: string): number | undefined {
    const bytes = this.store.get(metadataName(role));
    if (bytes === undefined) return undefined;
    return (JSON.parse(Buffer.from(bytes).toString('utf8')) as { signed: { version: number } }).signed.version;
  }
}
