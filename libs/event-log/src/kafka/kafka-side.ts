import type { Clock, Log } from '#runtime/index.js';
import { TOPICS } from '../event-log.js';
import { KafkaLog } from '../kafka-log.js';
import type { PostgresLogOptions } from '../postgres-log.js';
import { FactProducer } from './fact-producer.js';
import type { KafkaClient } from './kafka-client.js';
import { KafkaReader } from './kafka-reader.js';
import { requireTopics, settleTopics } from './kafka-topics.js';

/** What the logs of a process share of Kafka: one client, one reader with its memory, one queue of facts. */
export class KafkaSide {
  readonly reader: KafkaReader;
  private readonly facts: FactProducer;

  private constructor(
    readonly client: KafkaClient,
    clock: Clock,
    log: Log,
  ) {
    this.reader = new KafkaReader(client, TOPICS, log);
    this.facts = new FactProducer(client, clock);
  }

  /**
   * Takes the client over, also when it fails.
   * @throws KafkaError when a topic is not fit for the log; EventLogError `log.unavailable`
   */
  static open(client: KafkaClient, options: { clock: Clock; log: Log }): Promise<KafkaSide> {
    return KafkaSide.after(() => settleTopics(client, options.log), client, options);
  }

  /** As `open`, but makes no topic. */
  static attach(client: KafkaClient, options: { clock: Clock; log: Log }): Promise<KafkaSide> {
    return KafkaSide.after(() => requireTopics(client), client, options);
  }

  private static async after(
    looking: () => Promise<void>,
    client: KafkaClient,
    { clock, log }: { clock: Clock; log: Log },
  ): Promise<KafkaSide> {
    try {
      await looking();
      return new KafkaSide(client, clock, log);
    } catch (error) {
      await client.close();
      throw error;
    }
  }

  /** The log as the role of `database` may use it. */
  logOf(options: PostgresLogOptions): KafkaLog {
    return new KafkaLog({ ...options, reader: this.reader, facts: this.facts });
  }

  close(): Promise<void> {
    return this.client.close();
  }
}
