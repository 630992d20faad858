import type { Clock } from '#runtime/index.js';
import { announceAppend } from '../append-signal.js';
import { EventLogError } from '../event-log.js';
import type { Batch, KafkaClient, KafkaRecord } from './kafka-client.js';
import { encodeRecord, type StoredText } from './kafka-record.js';
import { STRAIGHT } from './kafka-topics.js';

/** A fact with all but its place and its time of receipt. */
export type OutgoingFact = Omit<StoredText, 'off' | 'received_at'>;

interface Waiting {
  facts: readonly OutgoingFact[];
  done: () => void;
  failed: (error: unknown) => void;
}

/** Of one send, over all partitions. */
const SEND_RECORDS = 5_000;
/** Of one partition's batch; Kafka takes a MiB, headers included. */
const BATCH_BYTES = 524_288;
const HEADERS_BYTES = 1_024;
/**
 * A send that has been under way for so long waits for a broker that is away. Who stands behind it, or comes then, is told
 * at once: callers hold a connection of Postgres meanwhile, and all of them together would leave none for commands.
 */
const PATIENCE_MS = 2_000;

/**
 * Produces facts of `muster.device` straight to Kafka. One send is under way at a time, so that a partition's facts keep
 * their order even when one is repeated; all that come meanwhile go with the next.
 */
export class FactProducer {
  private queue: Waiting[] = [];
  private sending: Promise<void> | undefined;
  private isStuck = false;
  private readonly lastReceived = new Map<number, number>();

  constructor(
    private readonly client: KafkaClient,
    private readonly clock: Clock,
  ) {}

  /**
   * Resolves when all in-sync replicas have the facts.
   * @throws EventLogError `log.unavailable`: then any of them may be in the log, and its sequence tells readers on a repeat
   */
  async send(facts: readonly OutgoingFact[]): Promise<void> {
    if (facts.length === 0) return;
    if (this.isStuck) throw away();
    const sent = new Promise<void>((done, failed) => this.queue.push({ facts, done, failed }));
    this.sending ??= this.sendAll();
    await sent;
  }

  private async sendAll(): Promise<void> {
    while (this.queue.length > 0) {
      const group = this.takeGroup();
      const patience = setTimeout(() => this.turnAway(), PATIENCE_MS);
      try {
        for (const batches of this.rounds(group.flatMap(({ facts }) => facts))) await this.client.send(batches);
        announceAppend();
        for (const { done } of group) done();
      } catch (error) {
        for (const { failed } of group) failed(error);
      } finally {
        clearTimeout(patience);
        this.isStuck = false;
      }
    }
    this.sending = undefined;
  }

  private turnAway(): void {
    this.isStuck = true;
    for (const { failed } of this.queue.splice(0)) failed(away());
  }

  private takeGroup(): Waiting[] {
    let size = 0;
    const tooMany = this.queue.findIndex(({ facts }, i) => (size += facts.length) > SEND_RECORDS && i > 0);
    return this.queue.splice(0, tooMany === -1 ? this.queue.length : tooMany);
  }

  /** Sends one after the other, in each at most one batch a partition. */
  private rounds(facts: readonly OutgoingFact[]): Batch[][] {
    const rounds: Map<number, { records: KafkaRecord[]; bytes: number }>[] = [];
    const at = new Map<number, number>();
    for (const fact of facts) {
      const { part } = fact;
      const bytes = Buffer.byteLength(fact.json) + HEADERS_BYTES;
      let round = at.get(part) ?? 0;
      const open = rounds[round]?.get(part);
      if (open !== undefined && open.bytes + bytes > BATCH_BYTES) round += 1;
      at.set(part, round);
      const batches = (rounds[round] ??= new Map());
      const batch = batches.get(part) ?? { records: [], bytes: 0 };
      batch.records.push(encodeRecord(STRAIGHT, { ...fact, received_at: this.receivedAt(part) }));
      batches.set(part, { records: batch.records, bytes: batch.bytes + bytes });
    }
    return rounds.map((batches) =>
      [...batches].map(([partition, { records }]) => ({ topic: STRAIGHT, partition, records })),
    );
  }

  /** Never falls along a partition, as far as this process can see to it. */
  private receivedAt(partition: number): Date {
    const at = Math.max(this.clock.now(), this.lastReceived.get(partition) ?? 0);
    this.lastReceived.set(partition, at);
    return new Date(at);
  }
}

const away = () => new EventLogError('log.unavailable', { topic: STRAIGHT }, 'Kafka does not answer');
