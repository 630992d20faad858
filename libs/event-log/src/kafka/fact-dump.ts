import type { Topic } from '../event-log.js';
import type { TextRow } from '../table-dump.js';
import { type FetchedRecord, type KafkaClient, KafkaError, type RawKafkaRecord } from './kafka-client.js';
import { scan } from './kafka-scan.js';
import { STRAIGHT } from './kafka-topics.js';

/** Of one send; Kafka takes a MiB, headers included. */
const BATCH_BYTES = 524_288;

interface Partition {
  partition: number;
  /** Kafka's. */
  end: number;
}

/**
 * Facts of one partition of `muster.device` up to an end, a row an offset: key, value, then names and values of headers, all
 * but names as base64, because a record may hold any bytes. An offset that Kafka kept for itself is an empty row.
 */
export async function* dumpFacts(client: KafkaClient, place: Partition): AsyncGenerator<TextRow[]> {
  let next = 0;
  const emptyUpTo = (offset: number) => Array.from({ length: offset - next }, (): TextRow => [null, null]);
  for await (const records of scan(client, { topic: STRAIGHT, ...place })) {
    const page: TextRow[] = [];
    for (const record of records) {
      page.push(...emptyUpTo(record.offset), rowOf(record));
      next = record.offset + 1;
    }
    yield page;
  }
  yield emptyUpTo(place.end);
}

/**
 * How far a partition in Kafka agrees with saved rows.
 * @returns Kafka's records that are among the rows, and those that came after them
 * @throws KafkaError `kafka.diverged`
 */
export async function compareFacts(
  client: KafkaClient,
  place: Partition,
  saved: AsyncIterable<readonly TextRow[]>,
): Promise<{ equal: number; newer: number }> {
  const wanted = rowsOf(saved);
  let equal = 0;
  for await (const found of dumpFacts(client, place))
    for (const row of found) {
      const next = await wanted.next();
      if (next.done === true) return { equal, newer: place.end - equal };
      if (JSON.stringify(row) !== JSON.stringify(next.value)) throw diverged(place.partition, equal);
      equal += 1;
    }
  return { equal, newer: 0 };
}

/**
 * Produces saved rows again, each at the offset that it had.
 * @param from  those before it are there already
 * @throws KafkaError `kafka.diverged` when another writes there too
 */
export async function loadFacts(
  client: KafkaClient,
  { partition, from }: { partition: number; from: number },
  saved: AsyncIterable<readonly TextRow[]>,
): Promise<void> {
  let skipped = 0;
  let next = from;
  for await (const page of saved) {
    const rows = page.slice(Math.max(0, from - skipped));
    skipped += page.length - rows.length;
    for (const records of batchesOf(rows)) {
      const [landed] = await client.send([{ topic: STRAIGHT, partition, records }]);
      if (landed?.kafkaOffset !== next) throw diverged(partition, next);
      next += records.length;
    }
  }
}

function* batchesOf(rows: readonly TextRow[]): Generator<RawKafkaRecord[]> {
  let batch: RawKafkaRecord[] = [];
  let bytes = 0;
  for (const row of rows) {
    const size = row.reduce((sum, text) => sum + (text?.length ?? 0), 0);
    if (batch.length > 0 && bytes + size > BATCH_BYTES) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(recordOf(row));
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

function rowOf({ key, value, headers, isControl }: FetchedRecord): TextRow {
  if (isControl) return [null, null];
  const base64 = (bytes: Buffer | null) => bytes?.toString('base64') ?? null;
  const named = Object.entries(headers).flatMap(([name, values]) =>
    (Buffer.isBuffer(values) ? [values] : values).flatMap((bytes) => [name, base64(bytes)]),
  );
  return [base64(key), base64(value), ...named];
}

function recordOf([key, value, ...named]: TextRow): RawKafkaRecord {
  const bytes = (text: string | null | undefined) => (text == null ? null : Buffer.from(text, 'base64'));
  const headers: Record<string, Buffer[]> = {};
  for (let i = 0; i < named.length; i += 2)
    (headers[named[i] ?? ''] ??= []).push(bytes(named[i + 1]) ?? Buffer.alloc(0));
  return { key: bytes(key), value: bytes(value), headers };
}

async function* rowsOf(pages: AsyncIterable<readonly TextRow[]>): AsyncGenerator<TextRow, undefined> {
  for await (const page of pages) yield* page;
}

function diverged(partition: number, offset: number): KafkaError {
  const topic: Topic = STRAIGHT;
  const message = `${topic}/${partition}: another fact at offset ${offset}: restore beside an empty Kafka`;
  return new KafkaError('kafka.diverged', { topic, partition, offset }, message);
}
