import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from './database.js';
import { STORED_COLUMNS } from './envelope.js';
import { PARTITIONS, type Position, type Topic } from './event-log.js';
import type { Report } from './finding.js';
import type { FetchedRecord, KafkaClient } from './kafka/kafka-client.js';
import { encodeRecord, logOffsetOf, type StoredText } from './kafka/kafka-record.js';
import { endsOf, scan } from './kafka/kafka-scan.js';
import { RELAYED } from './kafka/kafka-topics.js';
import { headsOf, notesOf } from './kafka/relay-place.js';

/** What Kafka holds of the relayed topics. Neither is a fault. */
export interface RelayCounts {
  published: number;
  /** Records that came again with a log offset that was there before, and are equal to the first. */
  duplicates: number;
  /** Stored and not published yet, although the audit waited for the relay. */
  pending: number;
}

interface AuditRelayOptions {
  /** Sees every row, in no snapshot: the relay goes on, and what it publishes is stored by then. */
  database: Database;
  client: KafkaClient;
  report: Report;
}

const WAIT_MS = 15_000;
/** A relay that moves nothing for so long is not there, or stands still. */
const STANDSTILL_MS = 3_000;
const LOOK_MS = 100;

/** Compares the relayed topics in Kafka with the log's table, record by record (I3). */
export async function auditRelay(options: AuditRelayOptions): Promise<RelayCounts> {
  const goals = await headsOf(options.database, RELAYED);
  await waitForRelay(options.database, goals);
  const acknowledged = await notesOf(options.database); // before Kafka's ends, so that they cover it
  const counts: RelayCounts = { published: 0, duplicates: 0, pending: 0 };
  for (const topic of RELAYED) {
    const ends = await endsOf(options.client, topic);
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      const walk = new RelayedPartition(topic, partition, options, counts);
      for await (const records of scan(options.client, { topic, partition, end: ends[partition] ?? 0 }))
        await walk.records(records);
      const key = `${topic}/${partition}`;
      walk.finish(acknowledged[key] ?? 0);
      counts.pending += Math.max(0, (goals[key] ?? 0) - walk.next);
    }
  }
  return counts;
}

async function waitForRelay(database: Database, goals: Position): Promise<void> {
  let left = Number.POSITIVE_INFINITY;
  let movedAt = Date.now();
  for (const deadline = Date.now() + WAIT_MS; Date.now() < deadline; await sleep(LOOK_MS)) {
    const relayed = await notesOf(database);
    const behind = Object.entries(goals).reduce((sum, [key, goal]) => sum + Math.max(0, goal - (relayed[key] ?? 0)), 0);
    if (behind === 0) return;
    if (behind < left) [left, movedAt] = [behind, Date.now()];
    if (Date.now() - movedAt > STANDSTILL_MS) return;
  }
}

type Numbered = FetchedRecord & { logOffset: number };

/** One partition as a reader takes it: the next log offset is accepted, lower ones are repeats. */
class RelayedPartition {
  /** Log offset that a reader waits for, if nothing is missing. */
  next = 0;
  /** Log offsets that were passed over, with Kafka's offset of what came instead. */
  private readonly missing = new Map<number, { until: number; kafkaOffset: number }>();

  constructor(
    private readonly topic: Topic,
    private readonly partition: number,
    private readonly options: AuditRelayOptions,
    private readonly counts: RelayCounts,
  ) {}

  async records(records: readonly FetchedRecord[]): Promise<void> {
    const ours = records
      .filter(({ isControl }) => !isControl)
      .map((record) => ({ ...record, logOffset: logOffsetOf(record) }));
    const rows = await this.rows(ours.flatMap(({ logOffset = [] }) => logOffset));
    for (const { logOffset, ...record } of ours)
      if (logOffset !== undefined) this.record({ ...record, logOffset }, rows.get(logOffset));
      else this.find('relay.unknown', { kafkaOffset: record.offset }, 'has no log offset that can be');
  }

  /** @param acknowledged  offset up to which Kafka has once said that it has everything */
  finish(acknowledged: number): void {
    for (const [offset, { until, kafkaOffset }] of this.missing)
      this.find('relay.gap', { offset, kafkaOffset }, `${until - offset} records were never published before the next`);
    if (acknowledged > this.next)
      this.find('relay.missing', { offset: this.next }, `Kafka had acknowledged up to ${acknowledged}`);
  }

  private record(record: Numbered, row: StoredText | undefined): void {
    const at = { offset: record.logOffset, kafkaOffset: record.offset };
    const differs = row === undefined ? undefined : difference(this.topic, row, record);
    if (row === undefined) this.find('relay.unknown', at, 'is not in the log');
    else if (differs !== undefined) this.find('relay.differs', at, `${differs} is not what the log holds`);
    if (record.logOffset < this.next) this.again(at, differs === undefined && row !== undefined);
    else {
      if (record.logOffset > this.next)
        this.missing.set(this.next, { until: record.logOffset, kafkaOffset: record.offset });
      this.next = record.logOffset + 1;
      this.counts.published += 1;
    }
  }

  /** A repeat, or one that was passed over and came too late: no reader takes it there. */
  private again(at: { offset: number; kafkaOffset: number }, isEqual: boolean): void {
    const hole = [...this.missing].find(([from, { until }]) => from <= at.offset && at.offset < until);
    if (hole === undefined) {
      if (isEqual) this.counts.duplicates += 1;
      return;
    }
    const [from, { until, kafkaOffset }] = hole;
    this.find('relay.order', at, `came after a later one, which is at Kafka's ${kafkaOffset}`);
    this.missing.delete(from);
    if (from < at.offset) this.missing.set(from, { until: at.offset, kafkaOffset });
    if (at.offset + 1 < until) this.missing.set(at.offset + 1, { until, kafkaOffset });
  }

  private async rows(offsets: readonly number[]): Promise<Map<number, StoredText>> {
    if (offsets.length === 0) return new Map();
    const rows = await this.options.database.query<StoredText>(
      `select ${STORED_COLUMNS}, data::text as json from log.record where topic = $1 and part = $2 and off = any($3::bigint[])`,
      [this.topic, this.partition, offsets],
    );
    return new Map(rows.map((row) => [row.off, row]));
  }

  private find(code: string, at: { offset?: number; kafkaOffset?: number }, message: string): void {
    const where = [this.topic, this.partition, ...(at.offset === undefined ? [] : [at.offset])].join('/');
    const { kafkaOffset } = at;
    const told = kafkaOffset === undefined ? message : `${message} (Kafka's offset ${kafkaOffset})`;
    this.options.report({
      invariant: 'I3',
      code,
      where,
      message: told,
      ...(kafkaOffset !== undefined && { kafkaOffset }),
    });
  }
}

/** Which part of a published record is not what the relay makes of the row. */
function difference(topic: Topic, row: StoredText, { key, value, headers }: FetchedRecord): string | undefined {
  const expected = encodeRecord(topic, row, row.off);
  if (key?.toString('utf8') !== expected.key) return 'its key';
  if (value === null || !value.equals(Buffer.from(expected.value))) return 'its value';
  const names = new Set([...Object.keys(expected.headers), ...Object.keys(headers)]);
  const wrong = [...names].find((name) => {
    const found = headers[name];
    return !Buffer.isBuffer(found) || found.toString('utf8') !== expected.headers[name];
  });
  return wrong === undefined ? undefined : `its header ${wrong}`;
}
