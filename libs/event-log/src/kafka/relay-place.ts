import { guarded, type Log } from '#runtime/index.js';
import type { Database } from '../database.js';
import { EventLogError, type Topic } from '../event-log.js';
import { partitionsOf } from '../follow.js';
import { requireKeeper } from '../keeper.js';
import { partitionKey } from '../position.js';
import { KafkaError } from './kafka-client.js';
import type { KafkaReader, Read, Tail } from './kafka-reader.js';
import { RELAYED } from './kafka-topics.js';

/** By `topic/partition`: next log offset to relay, and where in Kafka it lies if nobody else writes there. */
export type Places = Map<string, Place>;

interface Place {
  topic: string;
  partition: number;
  next: number;
  kafkaOffset: number;
}

interface Looking {
  database: Database;
  reader: KafkaReader;
  log: Log;
}

interface Range {
  topic: Topic;
  partition: number;
  from: number;
  to: number;
}

const CHUNK = 500;

/**
 * Where the relay goes on, by what is in Kafka. Its own notes may be older than that (killed between acknowledgement and
 * note), or of another Kafka.
 * @throws KafkaError `kafka.ahead`, `kafka.diverged`, `kafka.device-in-postgres`
 */
export async function placesIn({ database, reader, log }: Looking): Promise<Places> {
  reader.forget();
  const ends = await endsOf(reader); // before the heads, which another relay may pass meanwhile
  const heads = await headsOf(database, RELAYED);
  await requireKeeper(database, 'kafka');
  const notes = await notesOf(database);
  const places: Places = new Map();
  for (const { topic, partition } of partitionsOf(RELAYED)) {
    const key = partitionKey(topic, partition);
    const { end = 0, tail } = ends.get(key) ?? {};
    const from = notes[key] ?? 0;
    const to = tail?.next ?? 0;
    if (!guarded('tail')) {
      places.set(key, { topic, partition, next: from, kafkaOffset: end });
      continue;
    }
    if (to < from) log.warn('relay.kafka-behind', { topic, partition, kafka: to, acknowledged: from });
    if (tail === undefined) continue;
    await compareTail({ topic, partition, from, to }, tail, { database, postgres: heads[key] ?? 0 });
    const next = await readThrough({ topic, partition, from, to }, { database, reader, log });
    places.set(key, { topic, partition, next, kafkaOffset: end });
  }
  return places;
}

export async function headsOf(database: Database, topics: readonly Topic[]): Promise<Record<string, number>> {
  return byPartition(
    await database.query<Row>('select topic, part, next_off from log.head where topic = any($1)', [topics]),
  );
}

/** Up to where Kafka has acknowledged, as the relay noted it last. */
export const notesOf = async (database: Database): Promise<Record<string, number>> =>
  byPartition(await database.query<Row>('select topic, part, next_off from log.relay'));

interface Row {
  topic: Topic;
  part: number;
  next_off: number;
}

const byPartition = (rows: readonly Row[]): Record<string, number> =>
  Object.fromEntries(rows.map(({ topic, part, next_off }) => [partitionKey(topic, part), next_off]));

async function endsOf(reader: KafkaReader): Promise<Map<string, { end: number; tail?: Tail }>> {
  const found = await Promise.all(
    RELAYED.map(async (topic) =>
      (await reader.tailsOf(topic)).map((each, partition) => [partitionKey(topic, partition), each] as const),
    ),
  );
  return new Map(found.flat());
}

async function compareTail(
  { topic, partition, to }: Range,
  tail: Tail,
  { database, postgres }: { database: Database; postgres: number },
): Promise<void> {
  if (to > postgres)
    throw new KafkaError(
      'kafka.ahead',
      { topic, partition, kafka: to, postgres },
      `${topic}/${partition}: Kafka holds the log up to ${to}, Postgres up to ${postgres}: was an older backup restored? Restore a newer one, or beside an empty Kafka`,
    );
  const offset = to - 1;
  const [eventId] = await eventIds(database, { topic, partition, from: offset, to });
  if (eventId !== tail.eventId) throw diverged({ topic, partition, offset }, tail.eventId, eventId);
}

/**
 * What came into Kafka since the last note is this relay's own last batch, or another relay's, or of somebody who should
 * not write there: it is read, and compared event by event.
 * @returns the first offset that Kafka lacks: from there all is sent again, and readers who wait at the gap go on
 */
async function readThrough(range: Range, { database, reader, log }: Looking): Promise<number> {
  const { topic, partition, to } = range;
  for (let from = range.from; from < to; ) {
    const read = await reader.read(topic, partition, from, CHUNK).catch(noneAtGap);
    if (read.length === 0) {
      log.error('relay.gap', { topic, partition, missing: from, kafka: to });
      return from;
    }
    const ids = await eventIds(database, { topic, partition, from, to: Math.min(to, from + read.length) });
    for (const [index, eventId] of ids.entries()) {
      const found = eventIdOf(read[index]);
      if (found !== eventId) throw diverged({ topic, partition, offset: from + index }, found, eventId);
    }
    from += read.length;
  }
  return to;
}

function noneAtGap(error: unknown): Read[] {
  if (error instanceof EventLogError && error.code === 'log.gap') return [];
  throw error;
}

const eventIdOf = (read: Read | undefined): string | undefined =>
  read !== undefined && 'stored' in read ? read.stored.event_id : undefined;

async function eventIds(database: Database, { topic, partition, from, to }: Range): Promise<string[]> {
  const rows = await database.query<{ event_id: string }>(
    'select event_id from log.record where topic = $1 and part = $2 and off >= $3 and off < $4 order by off',
    [topic, partition, from, to],
  );
  return rows.map(({ event_id }) => event_id);
}

function diverged(at: { topic: Topic; partition: number; offset: number }, kafka?: string, postgres?: string) {
  const { topic, partition, offset } = at;
  const message = `${topic}/${partition}: another event at log offset ${offset}`;
  return new KafkaError('kafka.diverged', { ...at, kafka, postgres }, message);
}
