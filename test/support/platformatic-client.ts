import { Admin, Consumer, Producer } from '@platformatic/kafka';
import { EventLogError, type KafkaClient } from '#event-log/index.js';

const TOPIC_RESOURCE = 2;
const CONTROL = 0x20;

/** The port by a second library, so that the port is not shaped by one: fetch by offset is public here. For tests alone. */
export function platformaticClient(brokers: readonly string[]): KafkaClient {
  const options = { clientId: 'muster-second', bootstrapBrokers: [...brokers], retries: 8, retryDelay: 200 };
  const admin = new Admin(options);
  const consumer = new Consumer({ ...options, groupId: 'muster-second' });
  const producer = new Producer({
    ...options,
    acks: -1,
    serializers: { key: text, value: text, headerKey: text, headerValue: text },
  });
  return {
    ends: (topics) =>
      available('ends', async () => {
        const offsets = await consumer.listOffsets({ topics: [...topics] });
        return new Map([...offsets].map(([topic, ends]) => [topic, ends.map(Number)]));
      }),
    fetch: (topic, partition, from, maxBytes) =>
      available('fetch', async () => {
        const known = (await consumer.metadata({ topics: [topic] })).topics.get(topic);
        const leader = known?.partitions[partition]?.leader;
        if (known === undefined || leader === undefined) throw new Error(`${topic}/${partition} has no leader`);
        const place = { partition, currentLeaderEpoch: -1, fetchOffset: BigInt(from), lastFetchedEpoch: -1 };
        const answer = await consumer.fetch({
          node: leader,
          maxWaitTime: 1_000,
          minBytes: 1,
          maxBytes,
          isolationLevel: 0,
          topics: [{ topicId: known.id, partitions: [{ ...place, partitionMaxBytes: maxBytes }] }],
        });
        const records = recordsOf(answer).filter(({ offset }) => offset >= from);
        return { records, next: (records.at(-1)?.offset ?? from - 1) + 1 };
      }),
    send: (batches) =>
      available('send', async () => {
        const messages = batches.flatMap(({ topic, partition, records }) =>
          records.map((record) => ({ topic, partition, ...asText(record) })),
        );
        const { offsets = [] } = await producer.send({ messages });
        return offsets.map(({ topic, partition, offset }) => ({ topic, partition, kafkaOffset: Number(offset) }));
      }),
    describe: (topics) =>
      available('describe', async () => {
        const all = new Set(await admin.listTopics());
        const there = topics.filter((topic) => all.has(topic));
        const metadata = await admin.metadata({ topics: there, forceUpdate: true });
        const configs = await admin.describeConfigs({
          resources: there.map((resourceName) => ({ resourceType: TOPIC_RESOURCE, resourceName })),
        });
        const configOf = new Map(
          configs.map(({ resourceName, configs: each }) => [
            resourceName,
            Object.fromEntries(each.map(({ name, value }) => [name, value ?? ''])),
          ]),
        );
        const settings = there.map((topic) => {
          const partitions = metadata.topics.get(topic)?.partitions ?? [];
          const replicas = Math.min(...partitions.map((each) => each.replicas.length));
          return [topic, { partitions: partitions.length, replicas, config: configOf.get(topic) ?? {} }] as const;
        });
        return { brokers: metadata.brokers.size, topics: new Map(settings) };
      }),
    create: async (topics, { partitions, replicas, config }) => {
      const configs = Object.entries(config).map(([name, value]) => ({ name, value }));
      await available('create', () => admin.createTopics({ topics: [...topics], partitions, replicas, configs }));
    },
    close: async () => {
      await admin.close();
      await new Promise((closed) => consumer.close(true, closed));
      await new Promise((closed) => producer.close(true, closed));
    },
  };
}

type FetchResponse = Awaited<ReturnType<Consumer['fetch']>>;

type Sent = Parameters<KafkaClient['send']>[0][number]['records'][number];

/** Records of ours are text; of a name that comes twice the last is kept. */
const asText = ({ key, value, headers }: Sent) => {
  const named: Readonly<Record<string, string | readonly Buffer[]>> = headers;
  const last = (each: string | readonly Buffer[]) => (typeof each === 'string' ? each : String(each.at(-1) ?? ''));
  return {
    key: String(key ?? ''),
    value: String(value ?? ''),
    headers: Object.fromEntries(Object.entries(named).map(([name, each]) => [name, last(each)])),
  };
};

const text = (value?: string): Buffer | undefined => (value === undefined ? undefined : Buffer.from(value));

const recordsOf = ({ responses }: FetchResponse) =>
  responses
    .flatMap(({ partitions }) => partitions.flatMap(({ records = [] }) => records))
    .flatMap(({ firstOffset, attributes, records }) =>
      records.map(({ offsetDelta, key, value, headers }) => ({
        offset: Number(firstOffset) + offsetDelta,
        key,
        value,
        headers: Object.fromEntries(headers.map(([name, bytes]) => [String(name), bytes ?? Buffer.alloc(0)])),
        isControl: (attributes & CONTROL) > 0,
      })),
    );

async function available<T>(call: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new EventLogError('log.unavailable', { call, cause: error instanceof Error ? error.message : String(error) });
  }
}
