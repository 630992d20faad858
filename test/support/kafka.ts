import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import {
  type EventCatalog,
  Keyring,
  type KafkaClient,
  KafkajsClient,
  type KafkaLog,
  KafkaSide,
  PostgresLog,
  type Position,
  Relay,
} from '#event-log/index.js';
import { eventLogMigrations } from '#event-log/nest/event-log.module.js';
import { type Clock, type Log, silentLog, systemClock } from '#runtime/index.js';
import { type TestDatabase, testDatabase } from './database.js';

/** False where no broker runs; the set-up of the project has said why. */
export const hasKafka = (): boolean => inject('kafka').length > 0;

/** The client with every topic under a name of its own, so that many logs fit on one broker. */
export function underPrefix(client: KafkaClient, prefix: string): KafkaClient {
  const there = (topic: string) => prefix + topic;
  const back = <T>(found: ReadonlyMap<string, T>) =>
    new Map([...found].map(([topic, value]) => [topic.slice(prefix.length), value]));
  return {
    ends: async (topics) => back(await client.ends(topics.map(there))),
    fetch: (topic, ...rest) => client.fetch(there(topic), ...rest),
    send: async (batches) => {
      const landed = await client.send(batches.map((batch) => ({ ...batch, topic: there(batch.topic) })));
      return landed.map((each) => ({ ...each, topic: each.topic.slice(prefix.length) }));
    },
    describe: async (topics) => {
      const { brokers, topics: found } = await client.describe(topics.map(there));
      return { brokers, topics: back(found) };
    },
    create: (topics, settings) => client.create(topics.map(there), settings),
    close: () => client.close(),
  };
}

export interface KafkaInstallation {
  db: TestDatabase;
  prefix: string;
  /** The test's own connection, for records that nobody should write. */
  client: KafkaClient;
  keyring: Keyring;
  /** Role of an actor, and of who reads across tenants. */
  writer: KafkaLog;
  reader: KafkaLog;
  postgres: PostgresLog;
  relay(options?: { log?: Log }): Relay;
  /** A further process that reads, with nothing remembered. */
  freshReader(log?: Log): Promise<KafkaLog>;
  /** Waits until Kafka holds what Postgres holds now. */
  relayed(): Promise<void>;
  close(): Promise<void>;
}

/** A database of its own and topics of their own, and no relay yet. */
export async function kafkaInstallation(
  events: EventCatalog,
  options: { open?: (brokers: readonly string[]) => KafkaClient; clock?: Clock; log?: Log } = {},
): Promise<KafkaInstallation> {
  const { open = (brokers) => new KafkajsClient({ brokers }), clock = systemClock, log = silentLog } = options;
  const prefix = `t${randomBytes(4).toString('hex')}.`;
  const connect = () => underPrefix(open(inject('kafka')), prefix);
  const db = await testDatabase(eventLogMigrations);
  const actor = db.database('muster_campaign', 12);
  const tail = db.database('muster_tail', 6);
  const keyring = await Keyring.open({ database: actor, kek: randomBytes(32) });
  const common = { events, keyring, clock };
  const sides: KafkaSide[] = [];
  const side = async (said = log) => {
    const made = await KafkaSide.open(connect(), { clock, log: said });
    sides.push(made);
    return made;
  };
  const [writing, reading] = [await side(), await side()];
  const postgres = new PostgresLog({ database: tail, ...common });
  const reader = reading.logOf({ database: tail, ...common });
  const relays: Relay[] = [];
  return {
    db,
    prefix,
    client: writing.client,
    keyring,
    writer: writing.logOf({ database: actor, ...common }),
    reader,
    postgres,
    relay: (each = {}) => {
      const relay = new Relay({ url: db.url('muster_tail'), database: tail, client: writing.client, log, ...each });
      relays.push(relay);
      return relay;
    },
    freshReader: async (said) => (await side(said)).logOf({ database: tail, ...common }),
    relayed: async () => waitFor(reader, await postgres.heads()),
    close: async () => {
      for (const relay of relays) await relay.stop();
      for (const each of sides) await each.close();
      await db.drop();
    },
  };
}

async function waitFor(reader: KafkaLog, goal: Position): Promise<void> {
  const behind = async () => {
    const heads = await reader.heads();
    return Object.entries(goal).some(([place, next]) => (heads[place] ?? 0) < next);
  };
  while (await behind()) await reader.waitForAppend(20);
}
