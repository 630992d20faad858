import type { Database } from './database.js';
import { EventLogError } from './event-log.js';
import { KafkaError } from './kafka/kafka-client.js';
import { STRAIGHT } from './kafka/kafka-topics.js';

/**
 * An installation keeps the log it began with: by the settings of the other, facts of devices would be missing.
 * @throws EventLogError `log.kept-on-kafka`, KafkaError `kafka.device-in-postgres`
 */
export async function requireKeeper(database: Database, keeper: 'postgres' | 'kafka'): Promise<void> {
  if (keeper === 'postgres') {
    const [relayed] = await database.query('select 1 from log.relay limit 1');
    if (relayed !== undefined)
      throw new EventLogError(
        'log.kept-on-kafka',
        { missing: ['MUSTER_LOG', 'KAFKA_BROKERS'] },
        'this installation keeps its log on Kafka: set MUSTER_LOG=kafka and KAFKA_BROKERS',
      );
    return;
  }
  const [stored] = await database.query<{ topic: string; partition: number }>(
    'select topic, part as partition from log.head where topic = $1 and next_off > 0 limit 1',
    [STRAIGHT],
  );
  if (stored !== undefined)
    throw new KafkaError(
      'kafka.device-in-postgres',
      stored,
      'this installation keeps facts of devices in Postgres: set MUSTER_LOG=postgres',
    );
}
