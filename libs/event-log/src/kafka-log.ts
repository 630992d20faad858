import { appendOrTimeout } from './append-signal.js';
import { enterTenant, type Tx } from './database.js';
import { streamOf } from './envelope.js';
import {
  type EventContext,
  EventLogError,
  type EventShape,
  type Fact,
  type MaybeFaulty,
  type Position,
  TOPICS,
  type Topic,
} from './event-log.js';
import type { FactProducer, OutgoingFact } from './kafka/fact-producer.js';
import { type KafkaReader, type Read, storedOf } from './kafka/kafka-reader.js';
import { STRAIGHT } from './kafka/kafka-topics.js';
import { openRecords, openTolerantly } from './opening.js';
import { PostgresLog, type PostgresLogOptions } from './postgres-log.js';
import { factRows, type FactRow } from './prepare.js';

export interface KafkaLogOptions extends PostgresLogOptions {
  reader: KafkaReader;
  facts: FactProducer;
}

interface Wanted {
  topic: Topic;
  partition: number;
  fromOffset: number;
  limit: number;
  tenant?: string;
}

/** Records looked at in one go when those of one tenant are wanted. */
const SCAN = 1_000;

/**
 * The log at scale: events with a version are decided against and appended to Postgres, from where the relay publishes
 * them; facts of `muster.device` go straight to Kafka. Whoever reads in the order of the log reads Kafka alone.
 */
export class KafkaLog extends PostgresLog {
  constructor(private readonly kafka: KafkaLogOptions) {
    super(kafka);
  }

  override async appendFacts<E extends EventShape>(topic: Topic, facts: readonly Fact<E>[]): Promise<void> {
    if (topic !== STRAIGHT) return super.appendFacts(topic, facts);
    const outgoing: OutgoingFact[] = [];
    for (const tenant of new Set(facts.map(({ context }) => context.tenant))) {
      const group = facts.filter(({ context }) => context.tenant === tenant);
      streamOf(tenant, group[0]?.subject ?? '');
      // A transaction for the keys of what is sealed; nothing else of it is in Postgres.
      outgoing.push(...(await this.kafka.database.inTenant(tenant, (tx) => this.outgoing(tx, tenant, group))));
    }
    await this.kafka.facts.send(outgoing);
  }

  /**
   * Durable in Kafka before `tx` can commit: when the transaction then fails, what is repeated comes twice, and readers
   * drop it by its sequence.
   */
  override async appendFactsIn<E extends EventShape>(tx: Tx, topic: Topic, facts: readonly Fact<E>[]): Promise<void> {
    if (topic !== STRAIGHT) return super.appendFactsIn(tx, topic, facts);
    const tenant = facts[0]?.context.tenant;
    if (tenant !== undefined) await this.kafka.facts.send(await this.outgoing(tx, tenant, facts));
  }

  override async read(topic: Topic, partition: number, fromOffset: number, limit: number, tenant?: string) {
    const read = await this.lookedUp({ topic, partition, fromOffset, limit, tenant });
    const records = await this.opened(topic, read, openRecords);
    const unfit = records.find(({ fault, isForeign = false }) => fault !== undefined && !isForeign);
    if (unfit === undefined) return records;
    throw new EventLogError('log.unreadable', { topic, partition, offset: unfit.offset, cause: unfit.fault });
  }

  override async readTolerantly(topic: Topic, partition: number, fromOffset: number, limit: number, tenant?: string) {
    return this.opened(topic, await this.lookedUp({ topic, partition, fromOffset, limit, tenant }), openTolerantly);
  }

  override heads(topics: readonly Topic[] = TOPICS): Promise<Position> {
    return this.kafka.reader.heads(topics);
  }

  override waitForAppend(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    return appendOrTimeout(Math.min(timeoutMs, this.kafka.pollMs ?? 100), signal);
  }

  private lookedUp({ topic, partition, fromOffset, limit, tenant }: Wanted): Promise<Read[]> {
    if (tenant !== undefined) return this.scan(topic, partition, fromOffset, limit, tenant);
    return this.kafka.reader.read(topic, partition, fromOffset, limit);
  }

  private async scan(topic: Topic, partition: number, from: number, limit: number, tenant: string): Promise<Read[]> {
    const found: Read[] = [];
    for (let at = from; found.length < limit; ) {
      const batch = await this.kafka.reader.read(topic, partition, at, SCAN);
      const own = batch.filter((each) => isOwn(topic, tenant, each));
      found.push(...own.slice(0, limit - found.length));
      if (batch.length === 0) break;
      at += batch.length;
    }
    return found;
  }

  /** What cannot be read keeps its place, with a fault. */
  private async opened(topic: Topic, read: readonly Read[], open: typeof openTolerantly): Promise<MaybeFaulty[]> {
    const records = await open(topic, storedOf(read), this.kafka);
    let next = 0;
    return read.map((each) => ('stored' in each ? (records[next++] as MaybeFaulty) : unreadable(topic, each)));
  }

  private async outgoing(tx: Tx, tenant: string, facts: readonly Fact[]): Promise<OutgoingFact[]> {
    await enterTenant(tx, tenant);
    return (await factRows(this.kafka, tx, STRAIGHT, facts)).map((row) => outgoingFact(tenant, row));
  }
}

const text = (value: string | number | undefined): string => String(value);
const optional = (value: string | number | undefined): string | null => (value === undefined ? null : String(value));

const outgoingFact = (tenant: string, row: FactRow): OutgoingFact => ({
  part: row.partition,
  tenant,
  stream: text(row.stream),
  ver: 0,
  type: text(row.wire),
  event_id: text(row.id),
  occurred_at: new Date(row.occurredAt ?? 0),
  actor: text(row.actor),
  command_id: text(row.commandId),
  correlation_id: text(row.correlationId),
  causation_id: optional(row.causationId),
  traceparent: optional(row.traceparent),
  seq_source: optional(row.source),
  seq_epoch: row.epoch === undefined ? null : Number(row.epoch),
  seq_n: row.n === undefined ? null : Number(row.n),
  json: text(row.json),
});

const NOBODY: Pick<EventContext, 'actor' | 'commandId'> = { actor: '', commandId: '' };
const NEVER = new Date(0).toISOString();

/** One that was damaged is its stream's, unless anyone may have written it. */
const isOwn = (topic: Topic, tenant: string, read: Read): boolean =>
  'stored' in read
    ? read.stored.tenant === tenant
    : topic !== STRAIGHT && read.stream?.startsWith(`${tenant}/`) === true;

/**
 * A record for a place where none can be read, so that offsets stay dense. On `muster.device`, whatever lies in Kafka has
 * an offset of the log, but no producer of ours wrote what is here: foreign. Elsewhere only the relay gives such offsets.
 */
function unreadable(topic: Topic, { partition, offset, ...read }: Read): MaybeFaulty {
  const { fault, stream } = 'fault' in read ? read : { fault: undefined, stream: undefined };
  const [tenant = '', ...subject] = stream?.split('/') ?? [];
  const isOfKafka = fault?.code === 'record.control' || fault?.code === 'record.absent';
  return {
    ...NOBODY,
    topic,
    partition,
    offset,
    stream: stream ?? `?/${topic}/${partition}/${offset}`, // a stream of its own: nothing waits behind it
    version: 0,
    id: '',
    type: 'unreadable',
    schemaVersion: 0,
    data: {},
    tenant,
    subject: subject.join('/'),
    correlationId: '',
    causationId: null,
    traceparent: null,
    occurredAt: NEVER,
    receivedAt: NEVER,
    sequence: null,
    ...(topic === STRAIGHT ? { isForeign: true } : {}),
    ...(isOfKafka ? {} : { fault: fault?.code }),
  };
}
