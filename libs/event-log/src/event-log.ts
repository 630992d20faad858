import { DomainError } from '#runtime/index.js';

/** Partitions a topic; frozen, because adding one would move keys (design §3). */
export const PARTITIONS = 12;

/** Every topic there is; encoded positions name them by index, so new ones go to the end. `muster.device` is the only one that scale mode produces straight to Kafka. */
export const TOPICS = [
  'muster.content',
  'muster.campaign',
  'muster.handset',
  'muster.device',
  'muster.element',
  'muster.ota',
  'muster.syndication',
  'muster.subscription',
  'muster.journal',
  'muster.audit',
] as const;
export type Topic = (typeof TOPICS)[number];
/** A topic whose events have a version in their stream; `muster.device` has facts, which are read by partition alone. */
export type StreamTopic = Exclude<Topic, 'muster.device'>;

/** What a room decides: a past-tense name and plain JSON (ids, units in names, UTC instants). */
export interface EventShape {
  type: string;
  data: object;
}

/** Who did it, and what it belongs to. Filled at the edge, carried by every event. */
export interface EventContext {
  tenant: string;
  /** `person:<id>`, `token:<id>`, `device:<id>` or `system:<duty>`. */
  actor: string;
  /** Names the command; repeating an append with the same command id and stream answers the first result. */
  commandId: string;
  correlationId?: string;
  causationId?: string;
  traceparent?: string;
}

/** A device's or producer's own numbering, by which readers drop duplicates. The epoch only grows. */
export interface Sequence {
  source: string;
  epoch: number;
  n: number;
}

/** One stored event, as readers get it: upcast to the current version, sealed fields opened (`null` when erased). */
export interface EventRecord<E extends EventShape = EventShape> {
  topic: Topic;
  partition: number;
  /** Dense in its partition, in commit order. */
  offset: number;
  /** `<tenant>/<aggregate or device id>`, also the Kafka record key. */
  stream: string;
  /** 1..n in its stream; 0 for a fact, which has no expected version. */
  version: number;
  id: string;
  type: E['type'];
  schemaVersion: number;
  data: E['data'];
  tenant: string;
  /** The aggregate or device id: the part of the stream after the tenant. */
  subject: string;
  actor: string;
  commandId: string;
  correlationId: string;
  causationId: string | null;
  traceparent: string | null;
  /** When it happened, by the clock of who saw it, and when it came here. RFC 3339 UTC. */
  occurredAt: string;
  receivedAt: string;
  sequence: Sequence | null;
}

/**
 * A record as projections and process managers read it: where `data` cannot be read it is empty, and `fault` is the code
 * of why. Foreign is what lies at an offset of the log, but was put there by nobody who writes the log.
 */
export type MaybeFaulty = EventRecord & { readonly fault?: string; readonly isForeign?: boolean };

/** Next offsets by `topic/partition`; what is absent is 0. */
export type Position = Readonly<Record<string, number>>;

export interface Appended {
  partition: number;
  firstOffset: number;
  /** Version of the stream after the append. */
  version: number;
  eventIds: string[];
}

/** A fact of a device or server about one subject: no expected version, grouped for throughput. */
export interface Fact<E extends EventShape = EventShape> {
  subject: string;
  context: EventContext;
  event: E;
  /** When it happened, if not now. */
  occurredAt?: string;
  sequence?: Sequence;
  /** Batch facts name their partition themselves (PollsRecorded); all others go by their key. */
  partition?: number;
}

export type EventLogErrorCode =
  | 'log.version-conflict'
  | 'log.unknown-type'
  | 'log.schema-violation'
  | 'log.event-too-large'
  | 'log.gap'
  | 'log.unreadable'
  | 'log.unknown-version'
  | 'log.unavailable'
  | 'log.kept-on-kafka'
  | 'log.not-durable'
  | 'position.malformed'
  | 'as-of.malformed'
  | 'as-of.future'
  | 'chain.malformed'
  | 'archive.missing'
  | 'archive.damaged'
  | 'archive.running'
  | 'archive.on-kafka';
/** A refused append or an unreadable position. Nothing was stored. */
export class EventLogError extends DomainError<EventLogErrorCode> {}

/**
 * The log: `(topic, partition, offset)`, whoever keeps it. Both adapters pass the same contract suite.
 * An append is answered only when the events are durable.
 */
export interface EventLog {
  /**
   * Appends to one stream if it is at `expectedVersion` (0 = must not exist yet).
   * @throws EventLogError `log.version-conflict` when another writer was first
   */
  append<E extends EventShape>(
    topic: Topic,
    stream: { subject: string; expectedVersion: number },
    events: readonly E[],
    context: EventContext,
  ): Promise<Appended>;
  /** Appends facts, one transaction for all of them; order within a subject is kept. */
  appendFacts<E extends EventShape>(topic: Topic, facts: readonly Fact<E>[]): Promise<void>;
  /** One stream from its beginning, in order. */
  readStream<E extends EventShape>(topic: StreamTopic, tenant: string, subject: string): Promise<EventRecord<E>[]>;
  /** Records of one partition from `fromOffset`, at most `limit`, gapless. All tenants, unless one is named. */
  read(topic: Topic, partition: number, fromOffset: number, limit: number, tenant?: string): Promise<EventRecord[]>;
  /** As `read`; a record that cannot be opened or brought to its current version comes as a faulty one. */
  readTolerantly(
    topic: Topic,
    partition: number,
    fromOffset: number,
    limit: number,
    tenant?: string,
  ): Promise<MaybeFaulty[]>;
  /** Next offset of every partition of the topics named, or of all. */
  heads(topics?: readonly Topic[]): Promise<Position>;
  /** Resolves when something may have been appended, or after `timeoutMs`; never rejects. */
  waitForAppend(timeoutMs: number, signal?: AbortSignal): Promise<void>;
}
