import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs, { type Producer } from 'kafkajs';
import { type Log, silentLog } from '#runtime/index.js';
import { withinDeadline } from './deadline.js';
import type { Batch, Fetched, FetchedRecord, KafkaClient, Landed, TopicSettings } from './kafka-client.js';
import {
  connectOnce,
  type Message,
  openCluster,
  READ_UNCOMMITTED,
  refuseBrokenFrames,
  stopIdleTimer,
} from './kafkajs-internals.js';

/** The package is CommonJS, whose names Node does not see one by one. */
const { ConfigResourceTypes, Kafka, logLevel } = kafkajs;

const ACKS_ALL = -1;
/** Of one request; the deadline over all tries is in `withinDeadline`. */
const REQUEST_MS = 5_000;
const RETRY = { initialRetryTime: 100, retries: 4, maxRetryTime: 2_000 };
/** A broker that has just become a leader does not know at once; a lost one is found after a refresh or two. */
const TRIES = 8;
const BETWEEN_TRIES_MS = 100;

/** The port on kafkajs 2.2.4, which connects with the first call. */
export class KafkajsClient implements KafkaClient {
  private readonly kafka: InstanceType<typeof Kafka>;
  private readonly cluster: ReturnType<typeof openCluster>;
  private producer: Promise<Producer> | undefined;
  /** With all their tries, also those whose caller has given up. */
  private readonly underWay = new Set<Promise<unknown>>();
  private isClosed = false;

  constructor(private readonly options: { brokers: readonly string[]; clientId?: string; log?: Log }) {
    stopIdleTimer();
    connectOnce();
    refuseBrokenFrames();
    const { brokers, clientId = 'muster', log = silentLog } = options;
    this.kafka = new Kafka({
      brokers: [...brokers],
      clientId,
      connectionTimeout: 2_000,
      requestTimeout: REQUEST_MS,
      retry: RETRY,
      logLevel: logLevel.WARN,
      // What matters comes back as an error; the library repeats itself while a broker is away.
      logCreator: () => (entry) => log.debug('kafka.library', { namespace: entry.namespace, said: entry.log.message }),
    });
    this.cluster = openCluster(this.kafka);
  }

  ends(topics: readonly string[]): Promise<ReadonlyMap<string, readonly number[]>> {
    return this.call('ends', async () => {
      await this.cluster.addMultipleTargetTopics(topics);
      await this.cluster.refreshMetadataIfNecessary();
      const wanted = topics.map((topic) => ({ topic, partitions: this.partitionsOf(topic), fromBeginning: false }));
      const answer = await this.cluster.fetchTopicsOffset(wanted);
      return new Map(answer.map(({ topic, partitions }) => [topic, offsetsOf(partitions)]));
    });
  }

  fetch(topic: string, partition: number, from: number, maxBytes: number): Promise<Fetched> {
    return this.call('fetch', async () => {
      await this.cluster.addMultipleTargetTopics([topic]);
      const [nodeId] = Object.keys(this.cluster.findLeaderForPartitions(topic, [partition]));
      if (nodeId === undefined) throw new Error(`${topic}/${partition} has no leader`);
      const broker = await this.cluster.findBroker({ nodeId });
      const place = { partition, fetchOffset: String(from), maxBytes };
      const answer = await broker.fetch({
        isolationLevel: READ_UNCOMMITTED,
        maxWaitTime: 1_000,
        minBytes: 1,
        maxBytes,
        topics: [{ topic, partitions: [place] }],
      });
      const messages = answer.responses.flatMap(({ partitions }) => partitions.flatMap((each) => each.messages));
      // A batch comes whole, from its first record on.
      const records = messages.map(fetchedRecord).filter(({ offset }) => offset >= from);
      return { records, next: (records.at(-1)?.offset ?? from - 1) + 1 };
    });
  }

  async send(batches: readonly Batch[]): Promise<readonly Landed[]> {
    try {
      return await this.within('send', async () => {
        this.producer ??= this.openProducer();
        const producer = await this.producer; // and no other, should this outlive its caller
        const landed: Landed[] = [];
        // When a partition moves during a send to a broker that has answered already, kafkajs 2.2.4 leaves its batch
        // out and says that all went well: `sendMessages` asks each broker once.
        for (let left = batches; left.length > 0; ) {
          const answered = await sendOnce(producer, left);
          if (answered.length === 0) throw new Error('the brokers acknowledge nothing of what was sent');
          landed.push(...answered);
          left = left.filter((batch) => !answered.some((each) => isOf(batch, each)));
        }
        return landed;
      });
    } catch (error) {
      await this.dropProducer(); // it may still be trying, and must not do so beside the next one
      throw error;
    }
  }

  async describe(topics: readonly string[]): Promise<{ brokers: number; topics: ReadonlyMap<string, TopicSettings> }> {
    return this.asAdmin('describe', async (admin) => {
      const { brokers } = await admin.describeCluster();
      const known = new Set(await admin.listTopics());
      const there = topics.filter((topic) => known.has(topic));
      if (there.length === 0) return { brokers: brokers.length, topics: new Map() };
      const { topics: metadata } = await admin.fetchTopicMetadata({ topics: there });
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: there.map((name) => ({ type: ConfigResourceTypes.TOPIC, name })),
      });
      const configs = new Map(
        resources.map(({ resourceName, configEntries }) => [
          resourceName,
          Object.fromEntries(configEntries.map(({ configName, configValue }) => [configName, configValue])),
        ]),
      );
      const settings = metadata.map(({ name, partitions }): [string, TopicSettings] => {
        const replicas = Math.min(...partitions.map((partition) => partition.replicas.length));
        return [name, { partitions: partitions.length, replicas, config: configs.get(name) ?? {} }];
      });
      return { brokers: brokers.length, topics: new Map(settings) };
    });
  }

  async create(
    topics: readonly string[],
    {
      partitions,
      replicas,
      config,
    }: { partitions: number; replicas: number; config: Readonly<Record<string, string>> },
  ): Promise<void> {
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
    await this.asAdmin('create', (admin) =>
      admin.createTopics({
        waitForLeaders: false, // the library's own wait gives up on a busy broker
        topics: topics.map((topic) => ({
          topic,
          numPartitions: partitions,
          replicationFactor: replicas,
          configEntries,
        })),
      }),
    );
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.dropProducer();
    await this.cluster.disconnect();
    this.afterUnderWay(() => this.cluster.disconnect());
  }

  /** Stale metadata and lost connections are mended by asking again. */
  private call<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.within(name, () =>
      this.tried(async (attempt) => {
        if (!this.cluster.isConnected()) await this.cluster.connect();
        if (attempt > 1) await this.cluster.refreshMetadata();
        return work();
      }),
    );
  }

  private within<T>(name: string, work: () => Promise<T>): Promise<T> {
    const begin = () => {
      if (this.isClosed) throw new Error('the client is closed');
      const going = work();
      this.underWay.add(going);
      const ended = () => void this.underWay.delete(going);
      going.then(ended, ended);
      return going;
    };
    return withinDeadline(name, begin, { details: { brokers: this.options.brokers.join(',') } });
  }

  /** What is under way connects again by itself, and an open connection keeps a process from ending. */
  private afterUnderWay(disconnect: () => Promise<void>): void {
    if (this.underWay.size === 0) return;
    const ended = Promise.allSettled([...this.underWay]);
    void ended.then(disconnect).catch(() => undefined); // a lost connection cannot be closed
  }

  /** Again after a failure, until the deadline of the caller. */
  private async tried<T>(work: (attempt: number) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await work(attempt);
      } catch (error) {
        if (attempt === TRIES || this.isClosed) throw error;
        await sleep(attempt * BETWEEN_TRIES_MS);
      }
    }
  }

  private async asAdmin<T>(name: string, work: (admin: ReturnType<typeof this.kafka.admin>) => Promise<T>): Promise<T> {
    const admin = this.kafka.admin();
    try {
      return await this.within(name, () =>
        this.tried(async () => {
          await admin.connect();
          return work(admin);
        }),
      );
    } finally {
      await admin.disconnect().catch(() => undefined); // its answer is in hand, or its error is
      this.afterUnderWay(() => admin.disconnect());
    }
  }

  private async openProducer(): Promise<Producer> {
    const producer = this.kafka.producer({
      allowAutoTopicCreation: false,
      maxInFlightRequests: 1,
      // Every record names its partition; the library asks even so.
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? -1,
    });
    await producer.connect();
    return producer;
  }

  private async dropProducer(): Promise<void> {
    const { producer } = this;
    this.producer = undefined;
    if (producer === undefined) return;
    const disconnect = async () => (await producer).disconnect();
    await disconnect().catch(() => undefined); // a lost connection cannot be closed
    this.afterUnderWay(disconnect);
  }

  private partitionsOf(topic: string): { partition: number }[] {
    const known = Object.values(this.cluster.findLeaderForPartitions(topic, ALL)).flat();
    if (known.length === 0) throw new Error(`${topic} is not there`);
    return known.map((partition) => ({ partition }));
  }
}

/** Partitions that a topic does not have are left out by kafkajs. */
const ALL = Array.from({ length: 64 }, (_, partition) => partition);

/** @returns the batches that are acknowledged, which may be fewer */
async function sendOnce(producer: Producer, batches: readonly Batch[]): Promise<readonly Landed[]> {
  const topicMessages = [...new Set(batches.map(({ topic }) => topic))].map((topic) => ({
    topic,
    messages: batches
      .filter((batch) => batch.topic === topic)
      .flatMap(({ partition, records }) => records.map((record) => ({ ...record, partition }))),
  }));
  const landed = await producer.sendBatch({ acks: ACKS_ALL, timeout: REQUEST_MS, topicMessages });
  return landed.map(({ topicName, partition, baseOffset }) => ({
    topic: topicName,
    partition,
    kafkaOffset: Number(baseOffset),
  }));
}

const isOf = (batch: Batch, landed: Landed): boolean =>
  batch.topic === landed.topic && batch.partition === landed.partition;

function offsetsOf(partitions: readonly { partition: number; offset: string }[]): number[] {
  const offsets: number[] = [];
  for (const { partition, offset } of partitions) offsets[partition] = Number(offset);
  return offsets;
}

const fetchedRecord = ({ offset, key, value, headers, isControlRecord }: Message): FetchedRecord => ({
  offset: Number(offset),
  key,
  value,
  headers,
  isControl: isControlRecord,
});
