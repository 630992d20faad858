import type { Clock, Log } from '#runtime/index.js';
import { CLOCK, LOG } from '#runtime/nest/runtime.module.js';
import { ArchiveReader } from '../archive-reader.js';
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
  /** Folder of the files with old records, of the log in Postgres alone. */
  archive?: string;
}

const kafkaPart = ({ brokers, ...options }: KafkaOptions, archive: ArchiveReader) => ({
  provide: KafkaPart,
  inject: [Databases, CLOCK, LOG],
  useFactory: (databases: Databases, clock: Clock, log: Log) =>
    brokers === undefined
      ? onPostgres(databases, archive)
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

/** @throws EventLogError `log.kept-on-kafka`, `archive.missing`, `archive.damaged` */
async function onPostgres({ tail }: Databases, archive: ArchiveReader): Promise<KafkaPart> {
  await requireKeeper(tail, 'postgres');
  await archive.requireFiles(tail);
  return new KafkaPart();
}

/** The log under one role: of Postgres alone, or of Postgres and Kafka. */
const logOf = (role: 'actor' | 'tail', Kind: typeof PostgresLog, archive: ArchiveReader) => ({
  provide: Kind,
  inject: [Databases, EventCatalog, Keyring, CLOCK, KafkaPart],
  useFactory: (databases: Databases, events: EventCatalog, keyring: Keyring, clock: Clock, { side }: KafkaPart) => {
    const options = { database: databases[role], events, keyring, clock, archive };
    return side === undefined ? new Kind(options) : side.logOf(options);
  },
});

const committedLog = (archive: ArchiveReader) => ({
  provide: CommittedLog,
  inject: [Databases, EventCatalog, Keyring, CLOCK],
  useFactory: ({ tail: database }: Databases, events: EventCatalog, keyring: Keyring, clock: Clock) =>
    new CommittedLog({ database, events, keyring, clock, archive }),
});

/** This process's part in Kafka, and the log: the actor's, that across tenants, and the same of Postgres alone. */
export const logProviders = (options: KafkaOptions) => {
  const archive = new ArchiveReader(options.archive);
  return [
    kafkaPart(options, archive),
    logOf('actor', PostgresLog, archive),
    logOf('tail', TailLog, archive),
    committedLog(archive),
  ];
};
