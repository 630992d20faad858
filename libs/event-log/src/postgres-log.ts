import { failpoint, guarded, instant, systemClock } from '#runtime/index.js';
import { announceAppend, appendOrTimeout } from './append-signal.js';
import { ARCHIVED, ArchiveReader, readAcross } from './archive-reader.js';
import { afterCommit, type Database, enterTenant, type Tx } from './database.js';
import { checkContext, STORED_COLUMNS, type ReadRecord, streamOf } from './envelope.js';
import {
  type Appended,
  type EventContext,
  type EventLog,
  EventLogError,
  type EventRecord,
  type EventShape,
  type Fact,
  type Position,
  type StreamTopic,
  TOPICS,
  type Topic,
} from './event-log.js';
import { partitionOf } from './murmur2.js';
import { openRecords, openTolerantly } from './opening.js';
import { partitionKey } from './position.js';
import { columns, FACT_COLUMNS, factRows, type FactRow, prepareEvents, type Preparing } from './prepare.js';

export interface PostgresLogOptions extends Preparing {
  /** Role of an actor for appends and reads of one tenant; tail or projector for reads across tenants. */
  database: Database;
  /** How soon a reader looks again for what another process appended. */
  pollMs?: number;
  /** Old records of `muster.device` that are in files. */
  archive?: ArchiveReader;
}

/** A stream to append to; without an expected version the events go to its end, whatever it holds. */
export interface StreamEnd {
  subject: string;
  expectedVersion?: number;
}

/** The log in Postgres: a counter row per partition, moved by the appending transaction, gives dense offsets in commit order. */
export class PostgresLog implements EventLog {
  private readonly archive: ArchiveReader;

  constructor(protected readonly options: PostgresLogOptions) {
    this.archive = options.archive ?? new ArchiveReader();
  }

  async append<E extends EventShape>(
    topic: Topic,
    stream: StreamEnd,
    events: readonly E[],
    context: EventContext,
  ): Promise<Appended> {
    streamOf(context.tenant, stream.subject);
    return this.options.database.inTenant(context.tenant, (tx) => this.appendIn(tx, topic, stream, events, context));
  }

  /**
   * Appends inside a transaction that also changes rows; `tx` must be in the tenant of the context. The partition stays
   * locked until commit: make it the last statement, and append to several streams in one order everywhere.
   */
  async appendIn<E extends EventShape>(
    tx: Tx,
    topic: Topic,
    { subject, expectedVersion }: StreamEnd,
    events: readonly E[],
    context: EventContext,
  ): Promise<Appended> {
    const stream = streamOf(context.tenant, subject);
    checkContext(context);
    const partition = partitionOf(stream);
    const written = events.map((event) => ({ subject, event }));
    const prepared = await prepareEvents(this.options, tx, { topic, tenant: context.tenant }, written);
    if (prepared.length === 0) return this.nothingAppended(tx, topic, partition, { stream, expectedVersion });
    const { actor, commandId, correlationId = commandId, causationId, traceparent } = context;
    const stamp = [instant(this.options.clock.now()), actor, commandId, correlationId, causationId, traceparent];
    try {
      const [row] = await tx.query<{ o_off: number; o_ver: number; o_ids: string[] }>(
        'select * from log.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)',
        [
          topic,
          partition,
          stream,
          guarded('version') ? expectedVersion : undefined,
          this.receivedAt(),
          ...stamp,
          ...columns(prepared, ['wire', 'id', 'json']),
        ],
      );
      if (row === undefined) throw new Error('log.append answers one row');
      appending(tx);
      return { partition, firstOffset: row.o_off, version: row.o_ver, eventIds: row.o_ids };
    } catch (error) {
      throw versionConflict(error, { topic, stream, expected: expectedVersion });
    }
  }

  async appendFacts<E extends EventShape>(topic: Topic, facts: readonly Fact<E>[]): Promise<void> {
    if (facts.length === 0) return;
    const tenants = [...new Set(facts.map(({ context }) => context.tenant))].toSorted();
    await this.options.database.inTenant(tenants[0]!, async (tx) => {
      const prepared: [string, FactRow[]][] = []; // all keys before the first partition: one order of locks
      for (const tenant of tenants) {
        if (prepared.length > 0) await enterTenant(tx, tenant);
        const group = facts.filter(({ context }) => context.tenant === tenant);
        prepared.push([tenant, await factRows(this.options, tx, topic, group)]);
      }
      const hold = partitionsIn(prepared.flatMap(([, rows]) => rows));
      for (const [tenant, rows] of prepared) {
        if (prepared.length > 1) await enterTenant(tx, tenant);
        await this.storeFacts(tx, topic, rows, hold);
      }
    });
  }

  /** As `appendIn`, for facts of the tenant that `tx` is in. */
  async appendFactsIn<E extends EventShape>(tx: Tx, topic: Topic, facts: readonly Fact<E>[]): Promise<void> {
    if (facts.length === 0) return;
    const rows = await factRows(this.options, tx, topic, facts);
    await this.storeFacts(tx, topic, rows, partitionsIn(rows));
  }

  async readStream<E extends EventShape>(
    topic: StreamTopic,
    tenant: string,
    subject: string,
  ): Promise<EventRecord<E>[]> {
    const rows = await this.rows(
      `select ${STORED_COLUMNS} from log.record where topic = $1 and stream = $2 and ver > 0 order by ver`,
      [topic, streamOf(tenant, subject)],
      tenant,
    );
    return (await openRecords(topic, rows, this.options)) as EventRecord<E>[];
  }

  async read(topic: Topic, partition: number, fromOffset: number, limit: number, tenant?: string) {
    const records = await openRecords(
      topic,
      await this.part(topic, partition, fromOffset, limit, tenant),
      this.options,
    );
    if (tenant === undefined) requireDense(records, fromOffset);
    return records;
  }

  async readTolerantly(topic: Topic, partition: number, fromOffset: number, limit: number, tenant?: string) {
    const rows = await this.part(topic, partition, fromOffset, limit, tenant);
    const records = await openTolerantly(topic, rows, this.options);
    if (tenant === undefined) requireDense(records, fromOffset);
    return records;
  }

  async heads(topics: readonly Topic[] = TOPICS): Promise<Position> {
    const rows = await this.options.database.query<{ topic: Topic; part: number; next_off: number }>(
      'select topic, part, next_off from log.head where topic = any($1) and next_off > 0',
      [topics],
    );
    return Object.fromEntries(rows.map(({ topic, part, next_off }) => [partitionKey(topic, part), next_off]));
  }

  waitForAppend(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    return appendOrTimeout(Math.min(timeoutMs, this.options.pollMs ?? 100), signal);
  }

  /** What instants of receipt are compared with: the database's time, or that of a clock which a test has set. */
  async now(): Promise<number> {
    if (this.isClockSet) return this.options.clock.now();
    const [row] = await this.options.database.query<{ now: Date }>('select clock_timestamp() as now');
    return row?.now.getTime() ?? 0;
  }

  private get isClockSet(): boolean {
    return this.options.clock !== systemClock;
  }

  /** `null`: the database says it, whose clock all instances share. */
  private receivedAt(): string | null {
    return this.isClockSet ? instant(this.options.clock.now()) : null;
  }

  private async storeFacts(tx: Tx, topic: Topic, rows: readonly FactRow[], hold: readonly number[]): Promise<void> {
    await tx.query(
      'select log.append_facts($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)',
      [topic, hold, this.receivedAt(), ...columns(rows, FACT_COLUMNS)],
    );
    appending(tx);
  }

  private async nothingAppended(
    tx: Tx,
    topic: Topic,
    partition: number,
    at: { stream: string; expectedVersion?: number },
  ): Promise<Appended> {
    const [row] = await tx.query<{ next_off: number; ver: number }>(
      `select next_off, coalesce((select ver from log.stream where topic = $1 and stream = $3), 0) as ver
       from log.head where topic = $1 and part = $2`,
      [topic, partition, at.stream],
    );
    const { next_off: firstOffset = 0, ver: version = 0 } = row ?? {};
    if (version !== (at.expectedVersion ?? version)) throw conflict(topic, at.stream, at.expectedVersion, version);
    return { partition, firstOffset, version, eventIds: [] };
  }

  private part(
    topic: Topic,
    partition: number,
    fromOffset: number,
    limit: number,
    tenant?: string,
  ): Promise<ReadRecord[]> {
    const table = (from: number, count: number) =>
      this.rows(
        `select ${STORED_COLUMNS} from log.record
         where topic = $1 and part = $2 and off >= $3 and ($5::text is null or tenant = $5) order by off limit $4`,
        [topic, partition, from, count, tenant],
        tenant,
      );
    if (topic !== ARCHIVED) return table(fromOffset, limit);
    const sources = { archive: this.archive, db: this.options.database, table };
    return readAcross(sources, { topic, partition, from: fromOffset, limit, tenant });
  }

  private rows(sql: string, params: readonly unknown[], tenant?: string): Promise<ReadRecord[]> {
    const { database } = this.options;
    const asText = { instants: 'text' } as const;
    if (tenant === undefined) return database.query<ReadRecord>(sql, params, asText);
    return database.inTenant(tenant, (tx) => tx.query<ReadRecord>(sql, params, asText));
  }
}

/** From here on only the commit is missing, and then the answer. */
function appending(tx: Tx): void {
  failpoint('append.before-commit');
  afterCommit(tx, () => {
    failpoint('append.after-commit');
    announceAppend();
  });
}

const partitionsIn = (rows: readonly FactRow[]): number[] => [...new Set(rows.map(({ partition }) => partition))];

/** Offsets are dense by construction: a hole means that the database lost records, and readers must not pass it. */
function requireDense(records: readonly EventRecord[], fromOffset: number): void {
  if (!guarded('gap')) return;
  records.forEach(({ topic, partition, offset }, index) => {
    if (offset !== fromOffset + index)
      throw new EventLogError('log.gap', { topic, partition, missing: fromOffset + index });
  });
}

const conflict = (topic: Topic, stream: string, expected: number | undefined, actual: number) =>
  new EventLogError('log.version-conflict', { topic, stream, expected, actual }, 'another writer was first');

/** `MU409` is raised by log.append, with the actual version as detail. */
function versionConflict(error: unknown, at: { topic: Topic; stream: string; expected?: number }): unknown {
  const { code, detail } = error as { code?: string; detail?: string };
  return code === 'MU409' ? conflict(at.topic, at.stream, at.expected, Number(detail)) : error;
}
