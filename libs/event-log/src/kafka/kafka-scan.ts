import { EventLogError, PARTITIONS, type Topic } from '../event-log.js';
import type { FetchedRecord, KafkaClient } from './kafka-client.js';

const FETCH_BYTES = 1_048_576;

/** Kafka's next offset of every partition of a topic, as of now. */
export async function endsOf(client: KafkaClient, topic: Topic): Promise<readonly number[]> {
  const ends = (await client.ends([topic])).get(topic) ?? [];
  return Array.from({ length: PARTITIONS }, (_, partition) => ends[partition] ?? 0);
}

/** Below its end Kafka must give something, if only an offset to go on from. */
export function nothingAt(topic: Topic, partition: number, kafkaOffset: number): EventLogError {
  const details = { topic, partition, kafkaOffset };
  return new EventLogError('log.unavailable', details, 'Kafka gives no record at an offset below its end');
}

/** Every record of a partition below an end, a fetch at a time and nothing remembered: for who reads all of it once. */
export async function* scan(
  client: KafkaClient,
  { topic, partition, end }: { topic: Topic; partition: number; end: number },
): AsyncGenerator<readonly FetchedRecord[]> {
  for (let at = 0; at < end; ) {
    const { records, next } = await client.fetch(topic, partition, at, FETCH_BYTES);
    if (next <= at) throw nothingAt(topic, partition, at);
    yield records.filter(({ offset }) => offset < end);
    at = next;
  }
}
