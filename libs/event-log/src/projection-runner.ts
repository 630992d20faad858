import { setTimeout as sleep } from 'node:timers/promises';
import { type Log, silentLog } from '#runtime/index.js';
import { schemaBeside, sweepBuilds } from './build-lock.js';
import type { Database } from './database.js';
import { type EventLog, EventLogError, type EventRecord, type Position, type Topic } from './event-log.js';
import { partitionsOf } from './follow.js';
import { applyParked, listParked, type Parked, type ParkedStream, ProjectionError } from './parked.js';
import { nextOffset, partitionKey, reaches } from './position.js';
import type { Projection } from './projection.js';
import { LIVE, ProjectionBuild, type Until } from './projection-build.js';
import { rebuild } from './rebuild.js';
import { type Verified, verify } from './verify.js';

export interface ProjectionRunnerOptions {
  /** Role `muster_projector`; a connection a projection, three more for a rebuild or verification, two for each copy of the past. */
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

export interface ProjectionStatus {
  name: string;
  version: number;
  topics: readonly Topic[];
  position: Position;
  /** Records of the log not yet looked at. */
  lag: number;
  parked: readonly ParkedStream[];
  /** Partitions, as `topic/partition`, that stand still because a record is missing. */
  stopped: readonly string[];
}

/** A copy of a projection as it was; its tables are in `schema` until it is dropped. */
export interface PastCopy {
  schema: string;
  drop(): Promise<void>;
}

const SWEEP_MS = 60_000;
const RETRY_MS = { first: 100, longest: 10_000 };

/** Keeps projections up to date with the log, and rebuilds, verifies and copies them. Several may run: each batch is applied once. */
export class ProjectionRunner {
  private readonly lives: readonly ProjectionBuild[];
  private readonly log: Log;
  private readonly stopped = new Map<string, Set<string>>();
  private running: { abort: AbortController; loops: Promise<void>[] } | undefined;
  private maintenance: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: ProjectionRunnerOptions) {
    this.log = options.log ?? silentLog;
    this.lives = options.projections.map(
      (each) => new ProjectionBuild(each, LIVE, options.database, (poison) => this.report(each, poison)),
    );
  }

  /** Makes the live tables where they are missing. Views over them can be made after this. */
  async prepare(): Promise<void> {
    await this.sweep();
    for (const live of this.lives) await live.create();
  }

  async start(): Promise<void> {
    if (this.running !== undefined) return;
    await this.prepare();
    const abort = new AbortController();
    this.stopped.clear();
    this.running = {
      abort,
      loops: [...this.lives.map((live) => this.keepUp(live, abort.signal)), this.keepSwept(abort.signal)],
    };
  }

  /** Ends after the batches at hand. */
  async stop(): Promise<void> {
    const { running } = this;
    this.running = undefined;
    running?.abort.abort();
    await Promise.all([...(running?.loops ?? []), this.maintenance]);
  }

  /** Waits until every projection has applied the log up to `goal`, or up to its heads of now. @throws EventLogError `log.gap` */
  async whenCaughtUp(goal?: Position): Promise<void> {
    const end = goal ?? (await this.options.source.heads());
    for (const live of this.lives) {
      const own = Object.fromEntries(
        Object.entries(end).filter(([key]) => live.projection.topics.some((topic) => key.startsWith(`${topic}/`))),
      );
      while (!reaches(await live.position(), own)) {
        const [partition] = this.stopped.get(live.projection.name) ?? [];
        if (partition !== undefined)
          throw new EventLogError('log.gap', { projection: live.projection.name, partition });
        await sleep(10);
      }
    }
  }

  async list(): Promise<ProjectionStatus[]> {
    const heads = await this.options.source.heads();
    return Promise.all(
      this.lives.map(async (live) => {
        const { projection } = live;
        const position = await live.position();
        const lag = partitionsOf(projection.topics).reduce(
          (sum, { topic, partition }) =>
            sum + nextOffset(heads, topic, partition) - nextOffset(position, topic, partition),
          0,
        );
        const parked = await this.options.database.transaction(async (tx) => {
          await live.enter(tx);
          return listParked(tx, projection);
        });
        const { name, version, topics } = projection;
        return { name, version, topics, position, lag, parked, stopped: [...(this.stopped.get(name) ?? [])] };
      }),
    );
  }

  /** Builds the tables anew from the log and swaps their rows. @throws ProjectionError `projection.unknown` */
  async rebuild(name: string): Promise<void> {
    const live = this.live(name);
    const { source, database } = this.options;
    return this.oneAtATime(() => this.beside(live, (shadow) => rebuild(live, shadow, source, database)));
  }

  /** Compares the live tables with what the log makes of them. @throws ProjectionError `projection.unknown` */
  async verify(name: string): Promise<Verified> {
    const live = this.live(name);
    const { source, database } = this.options;
    return this.oneAtATime(() => this.beside(live, (shadow) => verify(live, shadow, source, database)));
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
      await this.options.database.query(`grant usage on schema ${copy.schema} to muster_insight`);
    } catch (error) {
      await drop();
      throw error;
    }
    return { schema: copy.schema, drop };
  }

  /**
   * Applies what a stream has parked, in order, all or nothing.
   * @throws ProjectionError `projection.unknown`, `projection.not-parked`, `projection.poison`
   */
  async unpark(name: string, stream: string): Promise<void> {
    const live = this.live(name);
    const { projection } = live;
    await this.options.database.transaction(async (tx) => {
      await live.hold(tx);
      await live.enter(tx);
      const rows = await tx.query<{ topic: Topic; part: number; off: number }>(
        `with gone as (
           delete from parked where projection = $1 and version = $2 and stream = $3 returning topic, part, off)
         select * from gone order by topic, off`,
        [name, projection.version, stream],
      );
      if (rows.length === 0) throw new ProjectionError('projection.not-parked', { projection: name, stream });
      for (const { topic, part, off } of rows)
        for (const record of await this.options.source.readTolerantly(topic, part, off, 1))
          await applyParked(projection, tx, record);
    });
    this.log.info('projection.unparked', { projection: name, stream });
  }

  /** Copies whose process was killed while this one ran. */
  private async keepSwept(signal: AbortSignal): Promise<void> {
    const { sweepMs = SWEEP_MS } = this.options;
    const hasSlept = () => sleep(sweepMs, true, { signal, ref: false }).catch(() => false); // aborted
    while (await hasSlept()) await this.sweep().catch((err: unknown) => this.log.warn('projection.unswept', { err }));
  }

  private async sweep(): Promise<void> {
    const schemas = await sweepBuilds(this.options.database);
    if (schemas.length > 0) this.log.info('projection.swept', { schemas });
  }

  private async keepUp(live: ProjectionBuild, signal: AbortSignal): Promise<void> {
    const { name } = live.projection;
    for (let retryInMs = RETRY_MS.first; !signal.aborted; ) {
      try {
        if (!(await this.round(live, signal))) await this.options.source.waitForAppend(1_000, signal);
        retryInMs = RETRY_MS.first;
      } catch (err) {
        this.log.warn('projection.failed', { projection: name, retryInMs, err });
        await sleep(retryInMs, undefined, { signal }).catch(() => undefined); // aborted: the loop ends
        retryInMs = Math.min(retryInMs * 2, RETRY_MS.longest);
      }
    }
  }

  /** One batch of every partition that lags. @returns whether anything was applied */
  private async round(live: ProjectionBuild, signal: AbortSignal): Promise<boolean> {
    const { source, batchSize = 500, onBatch } = this.options;
    const { projection } = live;
    const stopped = this.stopped.get(projection.name);
    const [heads, position] = [await source.heads(projection.topics), await live.position()];
    let hasMoved = false;
    for (const { topic, partition } of partitionsOf(projection.topics)) {
      const next = nextOffset(position, topic, partition);
      if (signal.aborted) return hasMoved;
      if (nextOffset(heads, topic, partition) <= next || stopped?.has(partitionKey(topic, partition))) continue;
      try {
        const batch = await source.readTolerantly(topic, partition, next, batchSize);
        if (batch.length === 0) throw new EventLogError('log.gap', { topic, partition, missing: next });
        await live.apply(batch);
        this.passBy(projection, batch);
        onBatch?.(projection, batch);
        hasMoved = true;
      } catch (error) {
        if (!(error instanceof EventLogError) || error.code !== 'log.gap') throw error;
        this.stopPartition(projection.name, partitionKey(topic, partition), error);
      }
    }
    return hasMoved;
  }

  /** A line a batch, whoever filled it: types of a newer program mean nothing to the projections of this one. */
  private passBy({ name }: Projection, batch: readonly EventRecord[]): void {
    const unknown = batch.filter(({ topic, type }) => type.startsWith(`${topic}.`));
    const [first] = unknown;
    if (first === undefined) return;
    const { topic, partition, offset, type } = first;
    this.log.warn('projection.passed-by', { projection: name, topic, partition, offset, type, count: unknown.length });
  }

  /** A missing record never heals by itself; the other partitions go on. */
  private stopPartition(projection: string, partition: string, error: EventLogError): void {
    this.stopped.set(projection, (this.stopped.get(projection) ?? new Set()).add(partition));
    this.log.error('projection.gap', { projection, partition, ...error.details });
  }

  /** Its stream waits until a person has repaired the cause: an alarm each, with its place. */
  private report({ name }: Projection, poison: readonly Parked[]): void {
    for (const { record, error } of poison) {
      const { topic, partition, offset, stream, type } = record;
      this.log.error('projection.parked', { projection: name, topic, partition, offset, stream, type, error });
    }
  }

  private live(name: string): ProjectionBuild {
    const found = this.lives.find(({ projection }) => projection.name === name);
    if (found === undefined) throw new ProjectionError('projection.unknown', { projection: name });
    return found;
  }

  private async beside<T>(live: ProjectionBuild, work: (shadow: ProjectionBuild) => Promise<T>): Promise<T> {
    const shadow = this.build(live, 'shadow');
    try {
      await shadow.create();
      return await work(shadow);
    } finally {
      await shadow.drop();
    }
  }

  private build({ projection }: ProjectionBuild, kind: 'shadow' | 'asof'): ProjectionBuild {
    return new ProjectionBuild(projection, schemaBeside(kind, projection), this.options.database);
  }

  /** A rebuild fills the machine by itself. */
  private oneAtATime<T>(work: () => Promise<T>): Promise<T> {
    const next = this.maintenance.then(work);
    this.maintenance = next.catch(() => undefined); // the caller hears of it
    return next;
  }
}
