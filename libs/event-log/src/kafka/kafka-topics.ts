import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '#runtime/index.js';
import { EventLogError, PARTITIONS, TOPICS, type Topic } from '../event-log.js';
import { DEADLINE_MS, type KafkaClient, KafkaError, type KafkaErrorCode, type TopicSettings } from './kafka-client.js';

/** The one topic that is produced straight; all others are relayed from Postgres. */
export const STRAIGHT: Topic = 'muster.device';
export const RELAYED: readonly Topic[] = TOPICS.filter((topic) => topic !== STRAIGHT);

/** A cluster of three or more brokers must lose none of its records with any one of them. */
const COPIES = 3;
const IN_SYNC = 2;
/** A record of the log with its headers, and a batch of the relay, fit. */
const MESSAGE_BYTES = 1_048_588;
const LEADERS_MS = 30_000;
/** kafkajs has gzip alone. `producer` leaves records as they were sent, which is uncompressed. */
const CODECS = ['producer', 'uncompressed', 'gzip'];

/** Truth for ever: nothing is deleted by age or size, nothing compacted away. */
export const TOPIC_RULES = {
  'cleanup.policy': ['delete'],
  'retention.ms': -1,
  'retention.bytes': -1,
  'max.message.bytes': MESSAGE_BYTES,
};

/** And no election that forgets what was acknowledged. */
const configFor = (brokers: number): Record<string, string> => ({
  ...Object.fromEntries(Object.entries(TOPIC_RULES).map(([name, value]) => [name, String(value)])),
  'compression.type': 'producer',
  'unclean.leader.election.enable': 'false',
  'min.insync.replicas': String(brokers >= COPIES ? IN_SYNC : 1),
});

/**
 * Makes the topics that are missing, then checks the settings in effect of all, whoever made them.
 * @throws KafkaError naming the topic, the setting, what it is and what it must be
 */
export async function settleTopics(client: KafkaClient, log: Log): Promise<void> {
  const found = await client.describe(TOPICS);
  const absent = TOPICS.filter((topic) => !found.topics.has(topic));
  if (absent.length > 0) {
    const { brokers } = found;
    const replicas = Math.min(COPIES, brokers);
    await client.create(absent, { partitions: PARTITIONS, replicas, config: configFor(brokers) });
    log.info('kafka.topics-created', { topics: absent, partitions: PARTITIONS, replicas });
  }
  const { brokers, topics } = absent.length > 0 ? await described(client) : found;
  for (const [topic, settings] of topics) checkTopic(topic, settings, brokers);
  if (brokers < COPIES) log.warn('kafka.few-brokers', { brokers, neededForDurability: COPIES });
}

/** For who must make nothing. @throws KafkaError `kafka.topic-missing`, or as `settleTopics` */
export async function requireTopics(client: KafkaClient): Promise<void> {
  const { brokers, topics } = await client.describe(TOPICS);
  const topic = TOPICS.find((each) => !topics.has(each));
  if (topic !== undefined)
    throw new KafkaError('kafka.topic-missing', { topic }, `topic ${topic} is not there: is this the log's Kafka?`);
  for (const [name, settings] of topics) checkTopic(name, settings, brokers);
}

/** A topic that was just made shows a moment later, and has leaders another moment later, on a busy machine some seconds. */
async function described(client: KafkaClient): ReturnType<KafkaClient['describe']> {
  const found = await shown(client);
  for (const deadline = Date.now() + LEADERS_MS; ; await sleep(50))
    try {
      await client.ends(TOPICS);
      return found;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
}

async function shown(client: KafkaClient): ReturnType<KafkaClient['describe']> {
  for (const deadline = Date.now() + DEADLINE_MS; ; await sleep(50)) {
    const found = await client.describe(TOPICS);
    if (found.topics.size === TOPICS.length) return found;
    if (Date.now() > deadline)
      throw new EventLogError('log.unavailable', { absent: TOPICS.filter((topic) => !found.topics.has(topic)) });
  }
}

/** @throws KafkaError */
export function checkTopic(topic: string, { partitions, replicas, config }: TopicSettings, brokers: number): void {
  const refuse = (code: KafkaErrorCode, setting: string, found: unknown, needed: string): never => {
    const message = `topic ${topic}: ${setting} is ${String(found)}, and must be ${needed}`;
    throw new KafkaError(code, { topic, setting, found, needed }, message);
  };
  const setting = (name: string) => config[name] ?? '(not told)';
  const require = (code: KafkaErrorCode, name: string, needed: string, isGood: (value: string) => boolean) => {
    if (!isGood(setting(name))) refuse(code, name, setting(name), needed);
  };
  if (partitions !== PARTITIONS) refuse('kafka.partition-count', 'partitions', partitions, String(PARTITIONS));
  require('kafka.cleanup-policy', 'cleanup.policy', 'delete', (value) => value === 'delete');
  for (const name of ['retention.ms', 'retention.bytes'])
    require('kafka.retention', name, '-1', (value) => value === '-1');
  require('kafka.codec', 'compression.type', CODECS.join(' or '), (value) => CODECS.includes(value));
  require('kafka.unclean-election', 'unclean.leader.election.enable', 'false', (value) => value === 'false');
  require('kafka.message-size', 'max.message.bytes', `${MESSAGE_BYTES} or more`, (value) =>
    Number(value) >= MESSAGE_BYTES);
  if (brokers < COPIES) return;
  if (replicas < COPIES) refuse('kafka.replication', 'replication factor', replicas, `${COPIES} or more`);
  require('kafka.min-insync', 'min.insync.replicas', `${IN_SYNC} or more, and fewer than ${replicas}`, (value) =>
    Number(value) >= IN_SYNC && Number(value) < replicas);
}
