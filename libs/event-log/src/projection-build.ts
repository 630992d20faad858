import { type BuildLock, lockBuild } from './build-lock.js';
import { failpoint, guarded } from '#runtime/index.js';
import { takesCopies } from './copy-into.js';
import type { Database, Tx } from './database.js';
import {
  type EventLog,
  EventLogError,
  type EventRecord,
  type MaybeFaulty,
  type Position,
  type Topic,
} from './event-log.js';
import { partitionsOf } from './follow.js';
import { KnownSources } from './known-sources.js';
import { applyOrPark, park, type Parked, parkedStreams } from './parked.js';
import { withoutPassedOver } from './passed-over.js';
import { nextOffset, partitionKey } from './position.js';
import type { Projection } from './projection.js';
import { dropDuplicates } from './seen-sequence.js';

/** How far a build is to go: to a position, or over everything received up to an instant (RFC 3339). */
export type Until = { position: Position } | { instant: string };

/** The build was the live one and is no more: its checkpoint is gone, so nothing is applied to it. Callers look for the next. */
export class Superseded extends Error {
  constructor(schema: string) {
    super(`${schema} has no checkpoint: another build has taken its place`);
  }
}

/** Who hears of a batch once it is committed. */
export interface BuildEars {
  /** Records that could not be applied, once they are parked; not those that wait behind them. */
  onParked?: (poison: readonly Parked[]) => void;
  /** How many records were dropped because another runner had applied them. */
  onRepeated?: (count: number) => void;
}

/** Records that a build applies in one transaction. */
const BATCH = 2_000;

/**
 * How long a transaction of ours may say nothing while it holds a checkpoint. A process that is stopped in the middle of
 * a batch (SIGSTOP, a frozen machine) is cut off after it, so that another can go on.
 */
const SILENCE_MS = 5_000;

/**
 * One set of a projection's tables in one schema, with its checkpoint. Rows and checkpoint change in one transaction
 * that holds the checkpoint's row, so that two runners, or a runner and a verification, cannot both apply a record.
 */
export class ProjectionBuild {
  /** Held from before the schema is there until after it is dropped, or has become the live one. */
  private lock: BuildLock | undefined;
  /** Tables that are to be under row-level security once others can see them; while it is filled their owner is not. */
  private unforced: readonly string[] | undefined;

  /** Of the partition at hand: it is filled with one after the other. */
  private known: KnownSources | undefined;

  constructor(
    readonly projection: Projection,
    readonly schema: string,
    private readonly database: Database,
    private readonly ears: BuildEars = {},
  ) {}

  /** Makes the schema, with empty tables and a checkpoint at 0. */
  async create(): Promise<void> {
    this.lock = await lockBuild(this.database, this.schema);
    await this.database.transaction(async (tx) => {
      await tx.query(`create schema ${this.schema}`);
      await makeTables(tx, this.projection, this.schema);
      this.unforced = await forcedTables(tx, this.schema);
      for (const table of this.unforced) await tx.query(`alter table ${table} no force row level security`);
    });
  }

  /** Before others see the tables: row-level security holds for their owner too, as their definition says. */
  async force(tx: Tx): Promise<void> {
    for (const table of this.unforced ?? []) await tx.query(`alter table ${table} force row level security`);
  }

  /** @throws Superseded */
  async position(): Promise<Position> {
    return this.positionIn(this.database);
  }

  /** Holds every checkpoint row until `tx` ends: meanwhile nobody applies anything to this build. @throws Superseded */
  async hold(tx: Tx): Promise<Position> {
    await tx.query(
      `select 1 from ${this.schema}.checkpoint where projection = $1 and version = $2 for update`,
      this.key,
    );
    return this.positionIn(tx);
  }

  /**
   * Applies records of one partition that follow each other.
   * @returns the partition's next offset
   * @throws EventLogError `log.gap` when the first is beyond the checkpoint
   * @throws Superseded
   */
  async apply(records: readonly MaybeFaulty[]): Promise<number> {
    const { from, next, parked, repeated } = await this.applied(records);
    this.known?.commit(from, next);
    const poison = parked.filter(({ error }) => error !== null);
    if (poison.length > 0) this.ears.onParked?.(poison);
    if (repeated > 0) this.ears.onRepeated?.(repeated);
    return next;
  }

  private applied(
    records: readonly MaybeFaulty[],
  ): Promise<{ from: number; next: number; parked: readonly Parked[]; repeated: number }> {
    return this.database.transaction(async (tx) => {
      await tx.query(
        `select set_config('search_path', $1, true), set_config('idle_in_transaction_session_timeout', $2, true)`,
        [this.schema, String(SILENCE_MS)],
      );
      if (this.unforced !== undefined) takesCopies(tx);
      const [first] = records;
      if (first === undefined) throw new Error('an empty batch');
      const place = [...this.key, first.topic, first.partition];
      const [checkpoint] = await tx.query<{ next_off: number }>(
        `select next_off from checkpoint
         where projection = $1 and version = $2 and topic = $3 and part = $4 ${guarded('checkpoint') ? 'for update' : ''}`,
        place,
      );
      if (checkpoint === undefined) throw new Superseded(this.schema);
      const next = checkpoint.next_off;
      const fresh = records.filter(({ offset }) => offset >= next);
      const repeated = records.length - fresh.length;
      if (fresh.length === 0) return { from: next, next, parked: [], repeated };
      requireNext(fresh, next);
      const after = next + fresh.length;
      const known = this.knownSources(first, next);
      const parked = await this.applyFresh(tx, place, fresh, known);
      failpoint('projection.before-checkpoint');
      await tx.query(
        `update checkpoint set next_off = $5
         where projection = $1 and version = $2 and topic = $3 and part = $4`,
        [...place, after],
      );
      return { from: next, next: after, parked, repeated };
    });
  }

  /** Applies the log up to a point, partition after partition. @throws what `cancelled` was aborted with, between two batches */
  async fill(source: EventLog, until: Until, { cancelled }: { cancelled?: AbortSignal } = {}): Promise<void> {
    const position = await this.position();
    const heads = await source.heads(this.projection.topics);
    const end = 'position' in until ? until.position : heads;
    for (const { topic, partition } of partitionsOf(this.projection.topics)) {
      const stop = Math.min(nextOffset(end, topic, partition), nextOffset(heads, topic, partition));
      let next = nextOffset(position, topic, partition);
      while (next < stop) {
        cancelled?.throwIfAborted();
        const read = await source.readTolerantly(topic, partition, next, Math.min(BATCH, stop - next));
        const wanted = 'instant' in until ? receivedBy(until.instant, read) : read;
        if (wanted.length > 0) next = await this.apply(wanted);
        if (wanted.length < read.length) break; // received later
        if (read.length === 0) throw new EventLogError('log.gap', { topic, partition, missing: next });
      }
    }
  }

  /** Sets the schema for a transaction of this build. */
  enter(tx: Tx): Promise<object[]> {
    return tx.query(`select set_config('search_path', $1, true)`, [this.schema]);
  }

  async drop(): Promise<void> {
    try {
      await this.database.query(`drop schema if exists ${this.schema} cascade`);
    } finally {
      await this.release(); // what could not be dropped is swept later
    }
  }

  /** From now on it is kept by being the live one, or swept. */
  async release(): Promise<void> {
    await this.lock?.release();
    this.lock = undefined;
  }

  private get key(): [string, number] {
    return [this.projection.name, this.projection.version];
  }

  private async applyFresh(
    tx: Tx,
    place: readonly unknown[],
    fresh: readonly MaybeFaulty[],
    known: KnownSources | undefined,
  ): Promise<readonly Parked[]> {
    const once = await withoutPassedOver(tx, place, await dropDuplicates(tx, place, fresh, known));
    const streams = await parkedStreams(tx, place);
    const parked = await applyOrPark(this.projection, tx, once, streams);
    await park(tx, place, parked);
    return parked;
  }

  /** Of a build that is being filled, as nobody else writes to it. */
  private knownSources({ topic, partition }: EventRecord, from: number): KnownSources | undefined {
    if (this.unforced === undefined) return undefined;
    const key = partitionKey(topic, partition);
    if (this.known?.partition !== key) this.known = new KnownSources(key);
    return this.known.begin(from) ? this.known : undefined;
  }

  private async positionIn(tx: Tx): Promise<Position> {
    const rows = await tx.query<{ topic: Topic; part: number; next_off: number }>(
      `select topic, part, next_off from ${this.schema}.checkpoint where projection = $1 and version = $2`,
      this.key,
    );
    if (rows.length === 0) throw new Superseded(this.schema);
    const begun = rows.filter(({ next_off }) => next_off > 0);
    return Object.fromEntries(begun.map(({ topic, part, next_off }) => [partitionKey(topic, part), next_off]));
  }
}

/** Up to the first later one: producers of straight facts have clocks of their own, so times may fall along a partition. */
function receivedBy<R extends EventRecord>(instant: string, records: readonly R[]): readonly R[] {
  const later = records.findIndex(({ receivedAt }) => receivedAt > instant);
  return later === -1 ? records : records.slice(0, later);
}

/** Dense from `next` on, or nothing is applied. */
function requireNext(records: readonly EventRecord[], next: number): void {
  if (!guarded('gap')) return;
  records.forEach(({ topic, partition, offset }, index) => {
    if (offset !== next + index) throw new EventLogError('log.gap', { topic, partition, missing: next + index });
  });
}

/** Makes the tables of a projection in a schema that is there, empty, with its checkpoint at 0. */
export async function makeTables(tx: Tx, projection: Projection, schema: string): Promise<void> {
  await makeBooks(tx, schema);
  for (const statement of projection.ddl) await tx.query(statement);
  const partitions = partitionsOf(projection.topics);
  await tx.query(
    `insert into checkpoint select $1, $2, topic, part, 0 from unnest($3::text[], $4::int[]) as p (topic, part)`,
    [
      projection.name,
      projection.version,
      partitions.map(({ topic }) => topic),
      partitions.map(({ partition }) => partition),
    ],
  );
}

async function forcedTables(tx: Tx, schema: string): Promise<string[]> {
  const rows = await tx.query<{ name: string }>(
    `select format('%s.%I', relnamespace::regnamespace, relname) as name from pg_class where relnamespace = $1::regnamespace and relforcerowsecurity`,
    [schema],
  );
  return rows.map(({ name }) => name);
}

/** What a build keeps beside its tables. Queries may read the checkpoint, to say how far their rows are. */
export const BOOKS = ['checkpoint', 'seen_sequence', 'parked'] as const;

/** Makes the books in a schema, and leaves `tx` in it. */
export async function makeBooks(tx: Tx, schema: string): Promise<void> {
  await tx.query(`select set_config('search_path', $1, true)`, [schema]);
  await tx.query(BOOKS_DDL);
}

const BOOKS_DDL = `
  create table checkpoint (
    projection text, version int, topic text, part int, next_off bigint not null,
    primary key (projection, version, topic, part)) with (fillfactor = 50);
  create table seen_sequence (
    projection text, version int, topic text, part int, source text, epoch bigint not null, n bigint not null,
    off bigint not null, received_at timestamptz not null, is_passing boolean not null,
    primary key (projection, version, topic, part, source));
  create index seen_sequence_passing on seen_sequence (projection, version, topic, part, off) where is_passing;
  create table parked (
    projection text, version int, topic text, part int, off bigint, stream text not null,
    error text, -- null: waits behind the one that failed
    primary key (projection, version, topic, part, off));
  grant select on checkpoint to muster_insight`;
