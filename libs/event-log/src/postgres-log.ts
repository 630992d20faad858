import { type Clock, instant, newId } from '#runtime/index.js';
import { announceAppend, appendOrTimeout } from './append-signal.js';
import type { EventCatalog } from './catalog.js';
import { afterCommit, type Database, type Tx } from './database.js';
import {
  checkContext,
  checkOccurredAt,
  checkSequence,
  encodeData,
  STORED_COLUMNS,
  type StoredRecord,
  streamOf,
  subjectOf,
  toRecord,
} from './envelope.js';
import {
  type Appended,
  type EventContext,
  type EventLog,
  EventLogError,
  type EventRecord,
  type EventShape,
  type Fact,
  PARTITIONS,
  type Position,
  TOPICS,
  type Topic,
} from './event-log.js';
import type { Keyring } from './keyring.js';
import { partitionOf } from './murmur2.js';
import { partitionKey } from './position.js';
import { holdsSealed, sealPersonal } from './seal.js';

export interface PostgresLogOptions {
  /** Role of an actor for appends and reads of one tenant; tail or projector for reads across tenants. */
  database: Database;
  events: EventCatalog;
  keyring: Keyring;
  clock: Clock;
  /** How soon a reader looks again for what another process appended. */
  pollMs?: number;
}

/** A stream to append to; without an expected version the events go to its end, whatever it holds. */
export interface StreamEnd {
  subject: string;
  expectedVersion?: number;
}

/** The log in Postgres: a counter row per partition, moved by the appending transaction, gives dense offsets in commit order. */
export class PostgresLog implements EventLog {
  constructor(private readonly options: PostgresLogOptions) {}

  async append<E extends EventShape>(
    topic: Topic,
    stream: StreamEnd,
    events: readonly E[],
    context: EventContext,
  ): Promise<Appended> {
    streamOf(context.tenant, stream.subject);
    return available(() =>
      this.options.database.inTenant(context.tenant, (tx) => this.appendIn(tx, topic, stream, events, context)),
    );
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
    const prepared: Prepared[] = [];
    for (const event of events)
      prepared.push(await this.prepare(tx, topic, event, { tenant: context.tenant, subject }));
    if (prepared.length === 0) return this.nothingAppended(tx, topic, partition, { stream, expectedVersion });
    const { actor, commandId, correlationId = commandId, causationId, traceparent } = context;
    const stamp = [instant(this.options.clock.now()), actor, commandId, correlationId, causationId, traceparent];
    try {
      const [row] = await tx.query<{ o_off: number; o_ver: number; o_ids: string[] }>(
        'select * from log.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)',
        [topic, partition, stream, expectedVersion, ...stamp, ...columns(prepared, ['wire', 'id', 'json'])],
      );
      if (row === undefined) throw new Error('log.append answers one row');
      afterCommit(tx, announceAppend);
      return { partition, firstOffset: row.o_off, version: row.o_ver, eventIds: row.o_ids };
    } catch (error) {
      throw versionConflict(error, { topic, stream, expected: expectedVersion });
    }
  }

  async appendFacts<E extends EventShape>(topic: Topic, facts: readonly Fact<E>[]): Promise<void> {
    if (facts.length === 0) return;
    const tenants = new Map<string, Fact<E>[]>();
    for (const fact of facts) {
      streamOf(fact.context.tenant, fact.subject);
      const group = tenants.get(fact.context.tenant);
      if (group === undefined) tenants.set(fact.context.tenant, [fact]);
      else group.push(fact);
    }
    const hold = [...new Set(facts.map(partitionOfFact))];
    await available(() =>
      this.options.database.transaction(async (tx) => {
        for (const [tenant, group] of tenants) {
          await tx.query(`select set_config('muster.tenant', $1, true)`, [tenant]);
          await this.appendFactsIn(tx, topic, group, hold);
        }
      }),
    );
  }

  /** As `appendIn`, for facts of one tenant. @param hold partitions to lock beside those of the facts */
  async appendFactsIn<E extends EventShape>(
    tx: Tx,
    topic: Topic,
    facts: readonly Fact<E>[],
    hold: readonly number[] = [],
  ): Promise<void> {
    const now = this.options.clock.now();
    const rows: FactRow[] = [];
    for (const fact of facts) {
      const { context, subject, event } = fact;
      const stream = streamOf(context.tenant, subject);
      checkContext(context);
      const occurredAt = instant(checkOccurredAt(fact) ?? now);
      const { source, epoch, n } = checkSequence(fact) ?? {};
      const partition = partitionOfFact(fact);
      const prepared = await this.prepare(tx, topic, event, { tenant: context.tenant, subject });
      const correlationId = context.correlationId ?? context.commandId;
      rows.push({ ...context, ...prepared, partition, stream, occurredAt, correlationId, source, epoch, n });
    }
    const held = [...new Set([...hold, ...rows.map(({ partition }) => partition)])];
    await tx.query(
      'select log.append_facts($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)',
      [topic, held, instant(now), ...columns(rows, FACT_COLUMNS)],
    );
    afterCommit(tx, announceAppend);
  }

  /** A fact has no version: facts of one subject come in the order of their partition, after all that have one. */
  async readStream<E extends EventShape>(topic: Topic, tenant: string, subject: string): Promise<EventRecord<E>[]> {
    const stream = streamOf(tenant, subject);
    // muster.device holds facts only, and they have no index by stream: its partition is read instead.
    const where = topic === 'muster.device' ? 'part = $3 order by off' : 'ver > 0 and $3 >= 0 order by ver';
    const records = await this.readRows(
      topic,
      `select ${STORED_COLUMNS} from log.record where topic = $1 and stream = $2 and ${where}`,
      [topic, stream, partitionOf(stream)],
      tenant,
    );
    return records as EventRecord<E>[];
  }

  async read(topic: Topic, partition: number, fromOffset: number, limit: number, tenant?: string) {
    const records = await this.readRows(
      topic,
      `select ${STORED_COLUMNS} from log.record
       where topic = $1 and part = $2 and off >= $3 and ($5::text is null or tenant = $5) order by off limit $4`,
      [topic, partition, fromOffset, limit, tenant],
      tenant,
    );
    if (tenant === undefined) requireDense(records, fromOffset);
    return records;
  }

  async heads(topics: readonly Topic[] = TOPICS): Promise<Position> {
    const rows = await available(() =>
      this.options.database.query<{ topic: Topic; part: number; next_off: number }>(
        'select topic, part, next_off from log.head where topic = any($1) and next_off > 0',
        [topics],
      ),
    );
    return Object.fromEntries(rows.map(({ topic, part, next_off }) => [partitionKey(topic, part), next_off]));
  }

  waitForAppend(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    return appendOrTimeout(Math.min(timeoutMs, this.options.pollMs ?? 100), signal);
  }

  private async prepare(tx: Tx, topic: Topic, event: EventShape, of: { tenant: string; subject: string }) {
    const { wire, schema, isPersonal } = this.options.events.check(topic, event);
    const id = newId();
    const plain = event.data;
    const data = isPersonal
      ? sealPersonal(plain, schema, id, await this.options.keyring.subjectKey(tx, of.tenant, of.subject))
      : plain;
    return { id, wire, json: encodeData(data, event.type) };
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

  private async readRows(topic: Topic, sql: string, params: readonly unknown[], tenant?: string) {
    const { database, keyring, events } = this.options;
    return available(async () => {
      const rows =
        tenant === undefined
          ? await database.query<StoredRecord>(sql, params)
          : await database.inTenant(tenant, (tx) => tx.query<StoredRecord>(sql, params));
      const keys = await keysOf(rows, keyring);
      return rows.map((row) => toRecord(topic, row, events, keys.get(row.stream)));
    });
  }
}

interface Prepared {
  id: string;
  wire: string;
  json: string;
}

const FACT_COLUMNS = [
  'partition',
  'stream',
  'wire',
  'id',
  'occurredAt',
  'actor',
  'commandId',
  'correlationId',
  'causationId',
  'traceparent',
  'source',
  'epoch',
  'n',
  'json',
] as const;
type FactRow = Partial<Record<(typeof FACT_COLUMNS)[number], string | number>> & { partition: number };

/** One array a column, as `unnest` takes them. */
function columns<Row extends object>(rows: readonly Row[], names: readonly (keyof Row)[]): unknown[][] {
  return names.map((name) => rows.map((row) => row[name] ?? null));
}

function partitionOfFact({ partition, context, subject }: Fact): number {
  if (partition === undefined) return partitionOf(`${context.tenant}/${subject}`);
  if (Number.isInteger(partition) && partition >= 0 && partition < PARTITIONS) return partition;
  const fields = [{ pointer: '/partition', message: `0 to ${PARTITIONS - 1}` }];
  throw new EventLogError('log.schema-violation', { partition }, 'no such partition', fields);
}

/** Keys, by stream, of the rows that hold sealed fields. */
async function keysOf(rows: readonly StoredRecord[], keyring: Keyring): Promise<Map<string, Uint8Array>> {
  const subjects = new Map<string, Set<string>>();
  for (const row of rows.filter(({ data }) => holdsSealed(data)))
    subjects.set(row.tenant, (subjects.get(row.tenant) ?? new Set()).add(subjectOf(row)));
  const keys = new Map<string, Uint8Array>();
  for (const [tenant, names] of subjects)
    for (const [subject, key] of await keyring.subjectKeys(tenant, [...names])) keys.set(`${tenant}/${subject}`, key);
  return keys;
}

/** Offsets are dense by construction: a hole means that the database lost records, and readers must not pass it. */
function requireDense(records: readonly EventRecord[], fromOffset: number): void {
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

/** Connection lost, refused or shut down: SQLSTATE classes 08 and 57P, or an error of the socket. */
async function available<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code = '', message = '' } = error as { code?: string; message?: string };
    const lost = /^(08|57P0|ECONN|EPIPE)/.test(code) || message.startsWith('Connection terminated');
    throw lost ? new EventLogError('log.unavailable', { cause: message }) : error;
  }
}
