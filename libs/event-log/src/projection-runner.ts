import { setTimeout as sleep } from 'node:timers/promises';
import { type Log, pause, silentLog } from '#runtime/index.js';
import { lockRebuild, newSchema, sweepBuilds } from './build-lock.js';
import type { Database } from './database.js';
import { type EventLog, EventLogError, type EventRecord, type Position } from './event-log.js';
import { partitionsOf } from './follow.js';
import { LiveProjection } from './live-projection.js';
import { ProjectionError } from './parked.js';
import { nextOffset, partitionKey, reaches } from './position.js';
import type { Projection } from './projection.js';
import { type BuildEars, ProjectionBuild, type Until } from './projection-build.js';
import { reportParked, reportPassedBy } from './projection-reports.js';
import { type ProjectionStatus, statusOf } from './projection-status.js';
import { rebuild } from './rebuild.js';
import { unpark, type Unparked, type Unparking } from './unpark.js';
import { type Verified, verify } from './verify.js';
import { stoppedPartitions, Workers } from './workers.js';

export interface ProjectionRunnerOptions {
  /** Role `muster_projector`; a connection a projection and one to be known by, four more for a rebuild, two for each copy of the past. */
  database: Database;
  /** The log, read across tenants. */
  source: EventLog;
  projections: readonly Projection[];
  log?: Log;
  /** After each committed batch: live streams, metrics. */
  onBatch?: (projection: Projection, batch: readonly EventRecord[]) => void;
  batchSize?: number;
  /** How often copies that nobody owns any more are looked for. */
  sweepMs?: number;
}

/** A copy of a projection as it was; its tables are in `schema` until it is dropped. */
export interface PastCopy {
  schema: string;
  drop(): Promise<void>;
}

const SWEEP_MS = 60_000;
const RETRY_MS = { first: 100, longest: 10_000 };

/** Keeps projections up to date with the log, and rebuilds, verifies and copies them. Several may run and share the partitions: each batch is applied once. */
export class ProjectionRunner {
  private readonly lives: readonly LiveProjection[];
  private readonly log: Log;
  private readonly workers: Workers;
  private readonly repeated = new Map<string, number>();
  /** Tables that this process is making, by the projection's name. */
  private readonly builds = new Map<string, ProjectionBuild>();
  private running: { abort: AbortController; loops: Promise<void>[] } | undefined;
  private maintenance: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: ProjectionRunnerOptions) {
    this.log = options.log ?? silentLog;
    for (const { name } of options.projections) this.repeated.set(name, 0);
    this.lives = options.projections.map((each) => new LiveProjection(each, options.database, this.earsOf(each)));
    this.workers = new Workers(options.database, options.projections, this.log);
  }

  /** Makes the live tables where they are missing. Views over them can be made after this. */
  async prepare(): Promise<void> {
    for (const live of this.lives) await live.prepare();
    await this.sweep();
  }

  async start(): Promise<void> {
    if (this.running !== undefined) return;
    await this.prepare();
    const abort = new AbortController();
    this.workers.stopped.clear();
    await this.workers.beat();
    this.running = {
      abort,
      loops: [
        ...this.lives.map((live) => this.keepUp(live, abort.signal)),
        this.keepSwept(abort.signal),
        this.workers.keepBeating(abort.signal),
      ],
    };
  }

  /** Ends after the batches at hand. */
  async stop(): Promise<void> {
    const { running } = this;
    this.running = undefined;
    running?.abort.abort();
    await Promise.all([...(running?.loops ?? []), this.maintenance]);
    await this.workers.leave();
  }

  /** Waits until every projection has applied the log up to `goal`, or up to its heads of now. @throws EventLogError `log.gap` */
  async whenCaughtUp(goal?: Position): Promise<void> {
    const end = goal ?? (await this.options.source.heads());
    for (const live of this.lives) {
      const own = Object.fromEntries(
        Object.entries(end).filter(([key]) => live.projection.topics.some((topic) => key.startsWith(`${topic}/`))),
      );
      while (!reaches(await live.on((build) => build.position()), own)) {
        const [partition] = await this.stoppedOf(live.projection);
        if (partition !== undefined)
          throw new EventLogError('log.gap', { projection: live.projection.name, partition });
        await sleep(20);
      }
    }
  }

  /** How many records this process read and dropped, by projection, because another worker had applied them. */
  repetitions(): ReadonlyMap<string, number> {
    return this.repeated;
  }

  async list(): Promise<ProjectionStatus[]> {
    const heads = await this.options.source.heads();
    const { database } = this.options;
    return Promise.all(
      this.lives.map(async (live) => ({
        ...(await statusOf(live, database, heads)),
        stopped: await this.stoppedOf(live.projection),
      })),
    );
  }

  /**
   * Builds new tables from the log beside the live ones and puts them in their place.
   * @throws ProjectionError `projection.unknown`; `projection.rebuilding` while another process does it;
   *   `projection.swap-blocked` when somebody reads in a transaction that does not end; what `cancelled` was aborted with
   */
  async rebuild(name: string, cancelled?: AbortSignal): Promise<void> {
    const live = this.live(name);
    const signal = this.running?.abort.signal;
    return this.oneAtATime(() => this.rebuildAlone(live, { signal, cancelled }));
  }

  /** How far this process is with tables that it makes of the log; undefined while it makes none. */
  async building(name: string): Promise<{ done: number; total: number } | undefined> {
    const build = this.builds.get(name);
    if (build === undefined) return undefined;
    const sum = (position: Position) => Object.values(position).reduce((events, next) => events + next, 0);
    const [heads, position] = await Promise.all([this.options.source.heads(build.projection.topics), build.position()]);
    return { done: sum(position), total: sum(heads) };
  }

  /** Compares the live tables with what the log makes of them. @throws ProjectionError `projection.unknown`; what `cancelled` was aborted with */
  async verify(name: string, cancelled?: AbortSignal): Promise<Verified> {
    const live = this.live(name);
    const { source, database } = this.options;
    return this.oneAtATime(() =>
      live.on((build) => this.beside(live, (shadow) => verify(build, shadow, source, database, cancelled))),
    );
  }

  /**
   * The projection as it was at a position, or when everything received up to an instant (RFC 3339) had been applied.
   * @throws ProjectionError `projection.unknown`
   */
  async buildAsOf(name: string, at: Position | string): Promise<PastCopy> {
    const until: Until = typeof at === 'string' ? { instant: new Date(at).toISOString() } : { position: at };
    const copy = this.build(this.live(name), 'asof');
    const drop = () => copy.drop();
    try {
      await copy.create();
      await copy.fill(this.options.source, until);
      await this.options.database.transaction(async (tx) => {
        await copy.force(tx);
        await tx.query(`grant usage on schema ${copy.schema} to muster_insight`);
      });
    } catch (error) {
      await drop();
      throw error;
    }
    return { schema: copy.schema, drop };
  }

  /**
   * Applies what a stream has parked, in order, all or nothing.
   * @throws ProjectionError `projection.unknown`, `projection.not-parked`, `projection.poison`;
   *   `projection.rebuilding` while that goes on, in whatever process
   */
  async unpark(name: string, stream: string, how: Unparking = {}): Promise<Unparked> {
    const unparked = await this.live(name).on((build) => unpark(build, stream, this.options, how));
    this.log.info('projection.unparked', { projection: name, stream, ...unparked });
    return unparked;
  }

  /** Copies whose process was killed while this one ran. */
  private async keepSwept(signal: AbortSignal): Promise<void> {
    const { sweepMs = SWEEP_MS } = this.options;
    const hasSlept = () => sleep(sweepMs, true, { signal, ref: false }).catch(() => false); // aborted
    while (await hasSlept()) await this.trySweep();
  }

  private trySweep(): Promise<void> {
    return this.sweep().catch((err: unknown) => this.log.warn('projection.unswept', { err }));
  }

  private async sweep(): Promise<void> {
    if (this.lives.length === 0) return; // what is live is not known yet
    const schemas = await sweepBuilds(this.options.database);
    if (schemas.length > 0) this.log.info('projection.swept', { schemas });
  }

  private async keepUp(live: LiveProjection, signal: AbortSignal): Promise<void> {
    const { name } = live.projection;
    for (let retryInMs = RETRY_MS.first; !signal.aborted; ) {
      try {
        if (!(await this.round(live, signal))) await this.options.source.waitForAppend(1_000, signal);
        retryInMs = RETRY_MS.first;
      } catch (err) {
        this.log.warn('projection.failed', { projection: name, retryInMs, err });
        await pause(retryInMs, signal);
        retryInMs = Math.min(retryInMs * 2, RETRY_MS.longest);
      }
    }
  }

  /** One batch of every partition that lags. @returns whether anything was applied */
  private async round(live: LiveProjection, signal: AbortSignal): Promise<boolean> {
    const { source, batchSize = 500, onBatch } = this.options;
    const { projection } = live;
    const [heads, position] = [await source.heads(projection.topics), await live.on((build) => build.position())];
    let hasMoved = false;
    for (const { topic, partition } of partitionsOf(projection.topics)) {
      const next = nextOffset(position, topic, partition);
      if (signal.aborted) return hasMoved;
      if (nextOffset(heads, topic, partition) <= next || !this.takes(projection, partitionKey(topic, partition)))
        continue;
      try {
        const batch = await source.readTolerantly(topic, partition, next, batchSize);
        if (batch.length === 0) throw new EventLogError('log.gap', { topic, partition, missing: next });
        await live.on((build) => build.apply(batch));
        reportPassedBy(this.log, projection, batch);
        onBatch?.(projection, batch);
        hasMoved = true;
      } catch (error) {
        if (!(error instanceof EventLogError) || error.code !== 'log.gap') throw error;
        this.stopPartition(projection.name, partitionKey(topic, partition), error);
      }
    }
    return hasMoved;
  }

  private takes(projection: Projection, partition: string): boolean {
    return this.workers.owns(projection, partition) && !this.workers.stopped.has(`${projection.name} ${partition}`);
  }

  /** A missing record never heals by itself; the other partitions go on. */
  private stopPartition(projection: string, partition: string, error: EventLogError): void {
    this.workers.stopped.add(`${projection} ${partition}`);
    this.log.error('projection.gap', { projection, partition, ...error.details });
  }

  /** By this worker, which may have had no time to say so, or by another. */
  private async stoppedOf(projection: Projection): Promise<readonly string[]> {
    const prefix = `${projection.name} `;
    const own = [...this.workers.stopped].flatMap((place) =>
      place.startsWith(prefix) ? [place.slice(prefix.length)] : [],
    );
    return [...new Set([...own, ...(await stoppedPartitions(this.options.database, projection))])];
  }

  private earsOf(projection: Projection): BuildEars {
    const { name } = projection;
    return {
      onParked: (poison) => reportParked(this.log, projection, poison),
      onRepeated: (count) => this.repeated.set(name, (this.repeated.get(name) ?? 0) + count),
    };
  }

  private live(name: string): LiveProjection {
    const found = this.lives.find(({ projection }) => projection.name === name);
    if (found === undefined) throw new ProjectionError('projection.unknown', { projection: name });
    return found;
  }

  private async rebuildAlone(
    live: LiveProjection,
    stops: { signal?: AbortSignal; cancelled?: AbortSignal },
  ): Promise<void> {
    stops.cancelled?.throwIfAborted(); // it has waited for others
    const { source, database } = this.options;
    const lock = await lockRebuild(database, live.projection);
    const green = this.build(live, 'live');
    try {
      await green.create();
      this.builds.set(live.projection.name, green);
      await rebuild(live, green, { source, database, ...stops });
    } finally {
      this.builds.delete(live.projection.name);
      await green.release();
      await lock.release();
      await this.trySweep(); // the tables that were live, or the new ones when they did not come so far
    }
  }

  private async beside<T>(live: LiveProjection, work: (shadow: ProjectionBuild) => Promise<T>): Promise<T> {
    const shadow = this.build(live, 'shadow');
    try {
      await shadow.create();
      this.builds.set(live.projection.name, shadow);
      return await work(shadow);
    } finally {
      this.builds.delete(live.projection.name);
      await shadow.drop();
    }
  }

  private build({ projection }: LiveProjection, kind: 'live' | 'shadow' | 'asof'): ProjectionBuild {
    return new ProjectionBuild(projection, newSchema(kind, projection), this.options.database);
  }

  /** A rebuild fills the machine by itself. */
  private oneAtATime<T>(work: () => Promise<T>): Promise<T> {
    const next = this.maintenance.then(work);
    this.maintenance = next.catch(() => undefined); // the caller hears of it
    return next;
  }
}
