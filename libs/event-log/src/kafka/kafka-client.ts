import { DomainError } from '#runtime/index.js';

export type KafkaErrorCode =
  | 'kafka.ahead'
  | 'kafka.diverged'
  | 'kafka.device-in-postgres'
  | 'kafka.topic-missing'
  | 'kafka.partition-count'
  | 'kafka.cleanup-policy'
  | 'kafka.retention'
  | 'kafka.replication'
  | 'kafka.min-insync'
  | 'kafka.unclean-election'
  | 'kafka.codec'
  | 'kafka.message-size';
/** Kafka is not fit to keep this log, or is not this log's. Nothing was changed; `details` names topic, partition, offsets or setting. */
export class KafkaError extends DomainError<KafkaErrorCode> {}

/** A record as it is sent: the key is the stream, the partition that of the log. */
export interface KafkaRecord {
  key: string;
  value: string;
  headers: Readonly<Record<string, string>>;
}

/** Any record, as bytes: how one that somebody else made is sent again. */
export interface RawKafkaRecord {
  key: Buffer | null;
  value: Buffer | null;
  headers: Readonly<Record<string, Buffer[]>>;
}

/** A record as it comes back, whoever sent it. */
export interface FetchedRecord {
  /** Kafka's own offset. */
  offset: number;
  key: Buffer | null;
  value: Buffer | null;
  /** All of its name, when a name comes twice. */
  headers: Readonly<Record<string, Buffer | readonly Buffer[]>>;
  /** Written by Kafka for itself; it takes an offset. */
  isControl: boolean;
}

export interface Fetched {
  records: readonly FetchedRecord[];
  /** Kafka offset to go on from. */
  next: number;
}

export interface Batch {
  topic: string;
  partition: number;
  records: readonly (KafkaRecord | RawKafkaRecord)[];
}

/** Where a batch has come to lie. */
export interface Landed {
  topic: string;
  partition: number;
  kafkaOffset: number;
}

export interface TopicSettings {
  partitions: number;
  /** Of the partition that has fewest. */
  replicas: number;
  config: Readonly<Record<string, string>>;
}

/**
 * What the log needs of a Kafka library, so that it can be another one. Groups are not among it: positions live in
 * Postgres. Every call ends, within about `DEADLINE_MS`, and rejects with EventLogError `log.unavailable` when no broker
 * gave the answer.
 */
export interface KafkaClient {
  /** Kafka's next offset of every partition, by topic. */
  ends(topics: readonly string[]): Promise<ReadonlyMap<string, readonly number[]>>;
  /** Records of one partition from an offset below its end; about `maxBytes`, at least one. */
  fetch(topic: string, partition: number, from: number, maxBytes: number): Promise<Fetched>;
  /**
   * Resolves when all in-sync replicas have all of it, with Kafka's offset of each batch's first record; when it rejects,
   * any part may have been stored.
   */
  send(batches: readonly Batch[]): Promise<readonly Landed[]>;
  /** Topics that exist, with the settings in effect, and how many brokers there are. */
  describe(topics: readonly string[]): Promise<{ brokers: number; topics: ReadonlyMap<string, TopicSettings> }>;
  /** Makes topics; one that another process made meanwhile is left as it is. */
  create(
    topics: readonly string[],
    settings: { partitions: number; replicas: number; config: Readonly<Record<string, string>> },
  ): Promise<void>;
  close(): Promise<void>;
}

/** Longest wait for an answer of Kafka, retries of the library included. */
export const DEADLINE_MS = 10_000;
