import type { Clock, Log } from '#runtime/index.js';
import { CLOCK, LOG } from '#runtime/nest/runtime.module.js';
import { awaited } from '../awaited.js';
import { EventCatalog } from '../catalog.js';
import { KafkaSide } from '../kafka/kafka-side.js';
import { KafkajsClient } from '../kafka/kafkajs-client.js';
import { requireKeeper } from '../keeper.js';
import { Keyring } from '../keyring.js';
import { PostgresLog } from '../postgres-log.js';
import { Relay } from '../relay.js';
import { CommittedLog, Databases, TailLog } from './databases.js';

/** This process's part in Kafka; both are absent where the log is Postgres alone. */
export class KafkaPart {
  constructor(
    readonly side?: KafkaSide,
    readonly relay?: Relay,
  ) {}

  async close(): Promise<void> {
    await this.relay?.stop();
    await this.side?.close();
  }
}

interface KafkaOptions {
  /** Absent where Postgres alone keeps the log. */
  brokers?: readonly string[];
  /** Role `muster_tail`, for the relay's lock. */
  tailUrl: string;
  /** How long the start waits for brokers that are not there yet. */
  patienceMs?: number;
}

const kafkaPart = ({ brokers, ...options }: KafkaOptions) => ({
  provide: KafkaPart,
  inject: [Databases, CLOCK, LOG],
  useFactory: (databases: Databases, clock: Clock, log: Log) =>
    brokers === undefined
      ? onPostgres(databases)
      : awaited('kafka', () => onKafka({ brokers, ...options, clock, log }, databases), { log, ...options }),
});

/** @throws KafkaError, so that nothing starts on a Kafka that is not fit for the log or does not belong to this Postgres */
async function onKafka(
  { brokers, tailUrl, clock, log }: { brokers: readonly string[]; tailUrl: string; clock: Clock; log: Log },
  { tail }: Databases,
): Promise<KafkaPart> {
  const side = await KafkaSide.open(new KafkajsClient({ brokers, log }), { clock, log });
  const relay = new Relay({ url: tailUrl, database: tail, client: side.client, log });
  try {
    await relay.check();
    return new KafkaPart(side, relay);
  } catch (error) {
    await side.close();
    throw error;
  }
}

/** @throws EventLogError `log.kept-on-kafka` */
async function onPostgres({ tail }: Databases): Promise<KafkaPart> {
  await requireKeeper(tail, 'postgres');
  return new KafkaPart();
}

/** The log under one role: of Postgres alone, or of Postgres and Kafka. */
const logOf = (role: 'actor' | 'tail', Kind: typeof PostgresLog) => ({
  provide: Kind,
  inject: [Databases, EventCatalog, Keyring, CLOCK, KafkaPart],
  useFactory: (databases: Databases, events: EventCatalog, keyring: Keyring, clock: Clock, { side }: KafkaPart) => {
    const options = { database: databases[role], events, keyring, clock };
    return side === undefined ? new Kind(options) : side.logOf(options);
  },
});

const committedLog = {
  provide: CommittedLog,
  inject: [Databases, EventCatalog, Keyring, CLOCK],
  useFactory: ({ tail: database }: Databases, events: EventCatalog, keyring: Keyring, clock: Clock) =>
    new CommittedLog({ database, events, keyring, clock }),
};

/** This process's part in Kafka, and the log: the actor's, that across tenants, and the same of Postgres alone. */
export const logProviders = (options: KafkaOptions) => [
  kafkaPart(options),
  logOf('actor', PostgresLog),
  logOf('tail', TailLog),
  committedLog,
];
