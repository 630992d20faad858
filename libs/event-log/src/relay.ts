import { failpoint, type Log, pause, silentLog } from '#runtime/index.js';
import { announceAppend, appendOrTimeout } from './append-signal.js';
import type { Database } from './database.js';
import { EventLogError, type Topic } from './event-log.js';
import { partitionsOf } from './follow.js';
import { type Batch, type KafkaClient, KafkaError, type Landed } from './kafka/kafka-client.js';
import { KafkaReader } from './kafka/kafka-reader.js';
import { encodeRecord, type StoredText } from './kafka/kafka-record.js';
import { RELAYED } from './kafka/kafka-topics.js';
import { takeLock } from './kafka/relay-lock.js';
import { headsOf, type Places, placesIn } from './kafka/relay-place.js';
import { nextOffset, partitionKey } from './position.js';

export interface RelayOptions {
  /** Role `muster_tail`, for the connection that holds the lock. */
  url: string;
  /** Role `muster_tail`. */
  database: Database;
  client: KafkaClient;
  log?: Log;
}

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
          const places = await this.resume();
          await this.note([...places.values()]); // what was acknowledged just before a kill has no note yet
          this.refusedBy = undefined;
          this.log.info('relay.started');
          await this.keepUp(places, AbortSignal.any([signal, lock.lost]), () => (retryInMs = RETRY_MS.first));
        } finally {
          await lock.release();
        }
      } catch (err) {
        if (err instanceof KafkaError) {
          this.refusedBy = err;
          this.log.error('relay.refused', { err });
          retryInMs = RETRY_MS.longest;
        } else this.log.warn('relay.failed', { retryInMs, err });
        await pause(retryInMs, signal);
        retryInMs = Math.min(retryInMs * 2, RETRY_MS.longest);
      }
    }
  }

  private async keepUp(places: Places, signal: AbortSignal, isWell: () => void): Promise<void> {
    while (!signal.aborted) {
      const moved = await this.round(places, signal);
      isWell();
      if (!moved) await appendOrTimeout(POLL_MS, signal);
    }
  }

  /** One batch of every partition that lags. @returns whether there was any */
  private async round(places: Places, signal: AbortSignal): Promise<boolean> {
    const heads = await headsOf(this.options.database, RELAYED);
    const lagging = partitionsOf(RELAYED).filter(
      ({ topic, partition }) =>
        nextOffset(heads, topic, partition) > (places.get(partitionKey(topic, partition))?.next ?? 0),
    );
    for (let i = 0; i < lagging.length && !signal.aborted; i += PARTITIONS_AT_ONCE) {
      const batches: NextBatch[] = [];
      for (const { topic, partition } of lagging.slice(i, i + PARTITIONS_AT_ONCE))
        batches.push(await this.batchOf(topic, partition, places.get(partitionKey(topic, partition))?.next ?? 0));
      if (signal.aborted) break;
      failpoint('relay.before-produce');
      const landed = await this.options.client.send(batches);
      failpoint('relay.after-produce');
      const isAlone = batches.map((batch) => isInPlace(batch, landed, places)).every(Boolean);
      announceAppend();
      if (!isAlone) for (const [key, place] of await this.resume()) places.set(key, place);
      await this.note(batches);
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
  private async note(places: readonly { topic: string; partition: number; next: number }[]): Promise<void> {
    await this.options.database.query(
      `insert into log.relay select * from unnest($1::text[], $2::int[], $3::bigint[])
       on conflict (topic, part) do update set next_off = excluded.next_off`,
      [places.map(({ topic }) => topic), places.map(({ partition }) => partition), places.map(({ next }) => next)],
    );
  }

  private resume(): Promise<Places> {
    return placesIn({ database: this.options.database, reader: this.reader, log: this.log });
  }
}

/**
 * Each batch lies behind the one before it, or Kafka has lost its end in between (an unclean election, a disk) and holds
 * a gap now.
 * @returns false when somebody else has written there meanwhile
 * @throws EventLogError `log.gap`: what is missing is sent again
 */
function isInPlace({ topic, partition, records, next }: NextBatch, landed: readonly Landed[], places: Places) {
  const key = `${topic}/${partition}`;
  const found = landed.find((each) => each.topic === topic && each.partition === partition)?.kafkaOffset ?? -1;
  const expected = places.get(key)?.kafkaOffset ?? 0;
  if (found < expected)
    throw new EventLogError('log.gap', { topic, partition, kafkaOffset: found, expected }, 'Kafka has lost its end');
  places.set(key, { topic, partition, next, kafkaOffset: found + records.length });
  return found === expected;
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
