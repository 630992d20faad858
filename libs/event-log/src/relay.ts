import { setTimeout as sleep } from 'node:timers/promises';
import { type Log, silentLog } from '#runtime/index.js';
import { announceAppend, appendOrTimeout } from './append-signal.js';
import type { Database } from './database.js';
import { EventLogError, type Topic } from './event-log.js';
import { partitionsOf } from './follow.js';
import { type Batch, type KafkaClient, KafkaError, type Landed } from './kafka/kafka-client.js';
import { KafkaReader, type Tail } from './kafka/kafka-reader.js';
import { encodeRecord, type StoredText } from './kafka/kafka-record.js';
import { RELAYED, STRAIGHT } from './kafka/kafka-topics.js';
import { takeLock } from './kafka/relay-lock.js';
import { nextOffset, partitionKey } from './position.js';

export interface RelayOptions {
  /** Role `muster_tail`, for the connection that holds the lock. */
  url: string;
  /** Role `muster_tail`. */
  database: Database;
  client: KafkaClient;
  log?: Log;
  /** For tests of what a kill leaves behind: called at each step of a round, and may throw. */
  probe?: (step: RelayStep) => Promise<void> | void;
}

/** Read from Postgres; acknowledged by Kafka; noted as relayed. */
export type RelayStep = 'read' | 'acknowledged' | 'stored';

/** At most so much of a partition goes in one batch; the next follows its acknowledgement. */
const BATCH_RECORDS = 500;
const BATCH_BYTES = 524_288;
/** What the headers of a record take, about. */
const HEADERS_BYTES = 1_024;
/** Partitions a send: bounds the memory of a round. */
const PARTITIONS_AT_ONCE = 24;
const POLL_MS = 50;
const RETRY_MS = { first: 200, longest: 10_000 };
const LOCK = 'muster.relay';

/** By `topic/partition`: next log offset to relay, and where in Kafka it will lie at the least. */
type Progress = Map<string, { next: number; kafkaOffset: number }>;
type NextBatch = Batch & { next: number };

/**
 * Publishes what is committed in Postgres to Kafka, each partition in order, the log offset in a header. One process of
 * an installation does it, by a lock. Where it stands is read from the last record in Kafka itself, so that a kill at
 * any point leaves duplicates at most; readers drop those, and any that a short overlap of two relays makes.
 */
export class Relay {
  private readonly reader: KafkaReader;
  private readonly log: Log;
  private running: { abort: AbortController; loop: Promise<void> } | undefined;
  private refusedBy: KafkaError | undefined;

  constructor(private readonly options: RelayOptions) {
    this.log = options.log ?? silentLog;
    this.reader = new KafkaReader(options.client, RELAYED, this.log);
  }

  /** Why it stands still for good, if it does. */
  get refusal(): KafkaError | undefined {
    return this.refusedBy;
  }

  start(): void {
    if (this.running !== undefined) return;
    const abort = new AbortController();
    this.running = { abort, loop: this.run(abort.signal) };
  }

  /** Ends after the round at hand. */
  async stop(): Promise<void> {
    this.running?.abort.abort();
    await this.running?.loop;
    this.running = undefined;
  }

  /**
   * Compares Kafka's last records with the log.
   * @throws KafkaError `kafka.ahead` when Kafka holds what Postgres does not, as after a restore of an older backup;
   *   `kafka.diverged` when they hold different events at one offset; `kafka.device-in-postgres`
   */
  async check(): Promise<void> {
    await this.resume();
  }

  private async run(signal: AbortSignal): Promise<void> {
    for (let retryInMs = RETRY_MS.first; !signal.aborted; ) {
      try {
        const lock = await takeLock(this.options.url, LOCK, signal);
        if (lock === undefined) return;
        try {
          const progress = await this.resume();
          this.refusedBy = undefined;
          this.log.info('relay.started');
          await this.keepUp(progress, AbortSignal.any([signal, lock.lost]), () => (retryInMs = RETRY_MS.first));
        } finally {
          await lock.release();
        }
      } catch (err) {
        if (err instanceof KafkaError) {
          this.refusedBy = err;
          this.log.error('relay.refused', { err });
          retryInMs = RETRY_MS.longest;
        } else this.log.warn('relay.failed', { retryInMs, err });
        await sleep(retryInMs, undefined, { signal }).catch(() => undefined); // aborted: the loop ends
        retryInMs = Math.min(retryInMs * 2, RETRY_MS.longest);
      }
    }
  }

  private async keepUp(progress: Progress, signal: AbortSignal, isWell: () => void): Promise<void> {
    while (!signal.aborted) {
      const moved = await this.round(progress, signal);
      isWell();
      if (!moved) await appendOrTimeout(POLL_MS, signal);
    }
  }

  /** One batch of every partition that lags. @returns whether there was any */
  private async round(progress: Progress, signal: AbortSignal): Promise<boolean> {
    const heads = await headsOf(this.options.database, RELAYED);
    const lagging = partitionsOf(RELAYED).filter(
      ({ topic, partition }) =>
        nextOffset(heads, topic, partition) > (progress.get(partitionKey(topic, partition))?.next ?? 0),
    );
    for (let i = 0; i < lagging.length && !signal.aborted; i += PARTITIONS_AT_ONCE) {
      const batches: NextBatch[] = [];
      for (const { topic, partition } of lagging.slice(i, i + PARTITIONS_AT_ONCE))
        batches.push(await this.batchOf(topic, partition, progress.get(partitionKey(topic, partition))?.next ?? 0));
      await this.options.probe?.('read');
      if (signal.aborted) break;
      const landed = await this.options.client.send(batches);
      await this.options.probe?.('acknowledged');
      for (const batch of batches) requireInPlace(batch, landed, progress);
      announceAppend();
      await this.store(batches);
      await this.options.probe?.('stored');
    }
    return lagging.length > 0;
  }

  private async batchOf(topic: Topic, partition: number, from: number): Promise<NextBatch> {
    const rows = await this.options.database.query<StoredText>(NEXT_BATCH, [
      topic,
      partition,
      from,
      BATCH_RECORDS,
      BATCH_BYTES,
      HEADERS_BYTES,
    ]);
    rows.forEach(({ off }, index) => {
      if (off !== from + index) throw new EventLogError('log.gap', { topic, partition, missing: from + index });
    });
    if (rows.length === 0) throw new EventLogError('log.gap', { topic, partition, missing: from });
    const records = rows.map((row) => encodeRecord(topic, row, row.off));
    return { topic, partition, records, next: from + rows.length };
  }

  /** For lag and for finding that Kafka has lost its end; where to go on is read from Kafka. */
  private async store(batches: readonly NextBatch[]): Promise<void> {
    await this.options.database.query(
      `insert into log.relay select * from unnest($1::text[], $2::int[], $3::bigint[])
       on conflict (topic, part) do update set next_off = excluded.next_off`,
      [batches.map(({ topic }) => topic), batches.map(({ partition }) => partition), batches.map(({ next }) => next)],
    );
  }

  private async resume(): Promise<Progress> {
    const { database } = this.options;
    this.reader.forget();
    const tails = new Map<string, Tail | undefined>(); // before the heads, which another relay may pass meanwhile
    for (const topic of RELAYED)
      for (const [partition, tail] of (await this.reader.tailsOf(topic)).entries())
        tails.set(partitionKey(topic, partition), tail);
    const heads = await headsOf(database, [...RELAYED, STRAIGHT]);
    const straight = partitionsOf([STRAIGHT]).find(({ partition }) => nextOffset(heads, STRAIGHT, partition) > 0);
    if (straight !== undefined)
      throw new KafkaError(
        'kafka.device-in-postgres',
        straight,
        'this installation keeps facts of devices in Postgres',
      );
    const stored = await database.query<{ topic: Topic; part: number; next_off: number }>('select * from log.relay');
    for (const { topic, part, next_off } of stored) {
      const kafka = tails.get(partitionKey(topic, part))?.next ?? 0;
      if (kafka < next_off)
        this.log.warn('relay.kafka-behind', { topic, partition: part, kafka, acknowledged: next_off });
    }
    const progress: Progress = new Map();
    for (const { topic, partition } of partitionsOf(RELAYED)) {
      const tail = tails.get(partitionKey(topic, partition));
      if (tail === undefined) continue;
      await this.compare(topic, partition, tail, nextOffset(heads, topic, partition));
      progress.set(partitionKey(topic, partition), { next: tail.next, kafkaOffset: tail.next });
    }
    return progress;
  }

  private async compare(topic: Topic, partition: number, tail: Tail, postgres: number): Promise<void> {
    const at = { topic, partition, kafka: tail.next, postgres };
    if (tail.next > postgres)
      throw new KafkaError(
        'kafka.ahead',
        at,
        `${topic}/${partition}: Kafka holds the log up to ${tail.next}, Postgres up to ${postgres}: was it restored?`,
      );
    const offset = tail.next - 1;
    const [row] = await this.options.database.query<{ event_id: string }>(
      'select event_id from log.record where topic = $1 and part = $2 and off = $3',
      [topic, partition, offset],
    );
    if (row?.event_id === tail.eventId) return;
    const details = { topic, partition, offset, kafka: tail.eventId, postgres: row?.event_id };
    throw new KafkaError('kafka.diverged', details, `${topic}/${partition}: another event at log offset ${offset}`);
  }
}

/**
 * Each batch lies behind the one before it, or Kafka has lost its end in between (an unclean election, a disk) and holds
 * a gap now. @throws EventLogError `log.gap`: what is missing is sent again
 */
function requireInPlace({ topic, partition, records, next }: NextBatch, landed: readonly Landed[], progress: Progress) {
  const key = `${topic}/${partition}`;
  const found = landed.find((each) => each.topic === topic && each.partition === partition)?.kafkaOffset ?? -1;
  const least = progress.get(key)?.kafkaOffset ?? 0;
  if (found < least)
    throw new EventLogError('log.gap', { topic, partition, kafkaOffset: found, least }, 'Kafka has lost its end');
  progress.set(key, { next, kafkaOffset: found + records.length });
}

async function headsOf(database: Database, topics: readonly Topic[]): Promise<Record<string, number>> {
  const rows = await database.query<{ topic: Topic; part: number; next_off: number }>(
    'select topic, part, next_off from log.head where topic = any($1)',
    [topics],
  );
  return Object.fromEntries(rows.map(({ topic, part, next_off }) => [partitionKey(topic, part), next_off]));
}

/**
 * Rows from an offset on, within count and bytes, at least one. What one command appended to one stream is not cut in
 * two unless it alone is too much: a batch is what a reader sees at once.
 */
const NEXT_BATCH = `
  with next as (
    select part, off, tenant, stream, ver, type, event_id, occurred_at, received_at, actor, command_id, correlation_id,
      causation_id, traceparent, seq_source, seq_epoch, seq_n, data::text as json,
      sum(octet_length(data::text) + $6::int) over (order by off) as bytes,
      lead(stream || ' ' || command_id) over (order by off) is distinct from stream || ' ' || command_id as ends
    from log.record where topic = $1 and part = $2 and off >= $3::bigint and off <= $3::bigint + $4::bigint),
  fitting as (
    select *, max(off) filter (where ends) over () as last_end, max(off) over () as last_off
    from next where off = $3::bigint or (bytes <= $5::bigint and off < $3::bigint + $4::bigint))
  select * from fitting where off <= coalesce(last_end, last_off) order by off`;
