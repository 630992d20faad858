import { guarded, type Log } from '#runtime/index.js';
import type { StoredRecord } from '../envelope.js';
import { EventLogError, PARTITIONS, type Position, type Topic } from '../event-log.js';
import { partitionKey } from '../position.js';
import { ChunkCache } from './chunk-cache.js';
import type { Fetched, FetchedRecord, KafkaClient } from './kafka-client.js';
import { type Decoded, decodeRecord, eventIdOf, logOffsetOf, type RecordFault } from './kafka-record.js';
import { nothingAt } from './kafka-scan.js';
import { STRAIGHT } from './kafka-topics.js';

/** A record of the log at its place, or the fault that stands there. */
export type Read = { partition: number; offset: number } & Decoded;

/** What the last record of a relayed partition says of the log. */
export interface Tail {
  /** Next offset of the log. */
  next: number;
  eventId: string;
}

/** Records looked at, from the end backwards, for one of the log. */
const TAIL_STEP = 64;
/** Places remembered a partition: one a reader is enough. */
const PLACES = 32;

interface Place {
  topic: Topic;
  partition: number;
  /** Kafka's. */
  end: number;
  /** In which it was asked for: what was found out before all was forgotten is not remembered. */
  era: number;
}

/**
 * Reads the log out of Kafka by log offset. On `muster.device` that is Kafka's offset, each of which gives one record
 * or fault. On relayed topics it is a header: the next one is accepted, lower ones are duplicates and dropped, and
 * beyond a missing one nothing is given out.
 */
export class KafkaReader {
  private readonly chunks: ChunkCache;
  /** By partition: where in Kafka the record after the last one read begins. */
  private readonly places = new Map<string, Map<number, number>>();
  private readonly tails = new Map<string, { end: number; tail: Tail | undefined }>();
  private readonly reported = new Map<string, number>();
  /** Kafka's ends as they were at least. */
  private known: ReadonlyMap<string, readonly number[]> = new Map();
  private era = 0;
  private running: Promise<unknown> | undefined;
  private waiting: Promise<ReadonlyMap<string, readonly number[]>> | undefined;

  constructor(
    private readonly client: KafkaClient,
    private readonly topics: readonly Topic[],
    private readonly log: Log,
  ) {
    this.chunks = new ChunkCache(client);
  }

  /** Next log offsets; partitions without a record are left out. */
  async heads(topics: readonly Topic[]): Promise<Position> {
    const { era } = this;
    const ends = await this.ends();
    const places = topics.flatMap((topic) =>
      Array.from({ length: PARTITIONS }, (_, partition) => {
        return { topic, partition, end: endOf(ends, topic, partition), era };
      }),
    );
    const heads = await Promise.all(
      places.map(async (place) => {
        const { topic, partition, end } = place;
        if (end === 0) return [];
        const next = topic === STRAIGHT ? end : ((await this.tailOf(place))?.next ?? 0);
        return next === 0 ? [] : [[partitionKey(topic, partition), next] as const];
      }),
    );
    return Object.fromEntries(heads.flat());
  }

  /** Kafka's end of each partition of a relayed topic, and the furthest record of the log before it, if there is any. */
  async tailsOf(topic: Topic): Promise<{ end: number; tail?: Tail }[]> {
    const { era } = this;
    const ends = await this.ends();
    return Promise.all(
      Array.from({ length: PARTITIONS }, async (_, partition) => {
        const end = endOf(ends, topic, partition);
        const tail = await this.tailOf({ topic, partition, end, era });
        return tail === undefined ? { end } : { end, tail };
      }),
    );
  }

  /** Drops what is remembered: Kafka may have lost its end, and have another one by now. */
  forget(): void {
    for (const memory of [this.chunks, this.places, this.tails]) memory.clear();
    this.known = new Map();
    this.era += 1;
  }

  /** @throws EventLogError `log.gap` when the log offset is missing in Kafka and a later one is there */
  async read(topic: Topic, partition: number, from: number, limit: number): Promise<Read[]> {
    const { era } = this;
    // To ask costs as much as tens of records; where a read will be full, whatever has come since, it need not know.
    const isFull = topic === STRAIGHT && endOf(this.known, topic, partition) >= from + limit;
    const end = endOf(isFull ? this.known : await this.ends(), topic, partition);
    const place = { topic, partition, end, era };
    return topic === STRAIGHT ? this.readStraight(place, from, limit) : this.readRelayed(place, from, limit);
  }

  private async readStraight(place: Place, from: number, limit: number): Promise<Read[]> {
    const { partition, end } = place;
    const stop = Math.min(end, from + limit);
    const found: Read[] = [];
    let at = from;
    // Kafka keeps some offsets for itself; the log has something at each.
    const absentUpTo = (offset: number) => {
      for (; at < Math.min(offset, stop); at += 1) found.push({ partition, offset: at, fault: ABSENT });
    };
    while (at < stop) {
      const { records, next } = await this.chunk(place, at);
      for (const record of records) {
        absentUpTo(record.offset);
        if (at === stop) break;
        found.push(this.decoded(place, at, record));
        at += 1;
      }
      absentUpTo(next);
    }
    return found;
  }

  private async readRelayed(place: Place, from: number, limit: number): Promise<Read[]> {
    const found: Read[] = [];
    let beyond: FetchedRecord | undefined;
    // The record of log offset n is at Kafka's n or later: before it are n others and any duplicates.
    for (let at = this.placeOf(place, from); at < place.end && found.length < limit; ) {
      const chunk = await this.chunk(place, at);
      for (const record of chunk.records) {
        at = record.offset + 1;
        const next = from + found.length;
        const logOffset = record.isControl ? -1 : logOffsetOf(record);
        if (logOffset === undefined) this.report(place, record.offset, NOT_OF_THE_LOG);
        else if (isBeyond(logOffset, next)) beyond ??= record;
        else if (!isRepeat(logOffset, next)) found.push(this.decoded(place, next, record));
        if (found.length === limit) break;
      }
      if (found.length < limit) at = chunk.next;
      this.remember(place, from + found.length, at);
    }
    if (found.length === 0 && beyond !== undefined) throw gap(place, from, beyond);
    return found;
  }

  private decoded(place: Place, offset: number, record: FetchedRecord): Read {
    const { topic, partition } = place;
    const decoded = decodeRecord(topic, { part: partition, off: offset }, record);
    if ('fault' in decoded && !record.isControl) this.report(place, record.offset, decoded.fault);
    return 'stored' in decoded ? { partition, offset, stored: decoded.stored } : { partition, offset, ...decoded };
  }

  /** Once a record, although many read it. */
  private report({ topic, partition }: Place, kafkaOffset: number, fault: RecordFault): void {
    const key = partitionKey(topic, partition);
    if ((this.reported.get(key) ?? -1) >= kafkaOffset) return;
    this.reported.set(key, kafkaOffset);
    this.log.error('kafka.bad-record', { topic, partition, kafkaOffset, ...fault });
  }

  private async tailOf(place: Place): Promise<Tail | undefined> {
    const key = partitionKey(place.topic, place.partition);
    const known = this.tails.get(key);
    if (known !== undefined && known.end >= place.end) return known.tail;
    const tail =
      known === undefined ? await this.tailBefore(place) : await this.furthest(place, known.end, place.end, known.tail);
    if (place.era === this.era) this.tails.set(key, { end: place.end, tail });
    return tail;
  }

  /** The last record, mostly. Where it repeats an earlier one, the furthest is behind Kafka's offset of the same number. */
  private async tailBefore(place: Place): Promise<Tail | undefined> {
    let tail: Tail | undefined;
    let start = place.end;
    for (let step = 1; start > 0 && tail === undefined; step = TAIL_STEP) {
      const stop = start;
      start = Math.max(0, stop - step);
      tail = await this.furthest(place, start, stop);
    }
    return tail === undefined ? undefined : this.furthest(place, tail.next, start, tail);
  }

  private async furthest(place: Place, start: number, stop: number, before?: Tail): Promise<Tail | undefined> {
    let tail = before;
    for (let at = start; at < stop; ) {
      const { records, next } = await this.chunk(place, at);
      for (const record of records.filter(({ offset, isControl }) => offset < stop && !isControl)) {
        const logOffset = logOffsetOf(record);
        if (logOffset !== undefined && logOffset >= (tail?.next ?? 0))
          tail = { next: logOffset + 1, eventId: eventIdOf(record) };
      }
      at = next;
    }
    return tail;
  }

  private async chunk(place: Place, at: number): Promise<Fetched> {
    const chunk = await this.chunks.from(place, at);
    if (chunk.next <= at) throw nothingAt(place.topic, place.partition, at);
    return chunk;
  }

  /** Kafka's ends as of now or later: askers wait for one answer together, but never for one asked before them. */
  private ends(): Promise<ReadonlyMap<string, readonly number[]>> {
    this.waiting ??= (async () => {
      await this.running?.catch(() => undefined); // its own askers hear of it
      this.waiting = undefined;
      const asking = this.client.ends(this.topics);
      this.running = asking;
      const { era } = this;
      const ends = await asking;
      if (era === this.era) this.known = ends;
      return ends;
    })();
    return this.waiting;
  }

  private placeOf({ topic, partition }: Place, logOffset: number): number {
    return this.places.get(partitionKey(topic, partition))?.get(logOffset) ?? logOffset;
  }

  private remember({ topic, partition, era }: Place, logOffset: number, at: number): void {
    if (era !== this.era) return;
    const key = partitionKey(topic, partition);
    const places = this.places.get(key) ?? new Map<number, number>();
    this.places.set(key, places.set(logOffset, at));
    const [oldest] = places.keys();
    if (places.size > PLACES && oldest !== undefined) places.delete(oldest);
  }
}

const isBeyond = (logOffset: number, next: number): boolean => logOffset > next && guarded('gap');
const isRepeat = (logOffset: number, next: number): boolean => logOffset < next && guarded('dedupe');

const ABSENT: RecordFault = { code: 'record.absent', message: 'Kafka keeps no record at this offset' };

const NOT_OF_THE_LOG: RecordFault = { code: 'record.header', message: 'no log offset that can be: not of the log' };

const endOf = (ends: ReadonlyMap<string, readonly number[]>, topic: Topic, partition: number): number =>
  ends.get(topic)?.[partition] ?? 0;

function gap({ topic, partition }: Place, missing: number, beyond: FetchedRecord): EventLogError {
  const details = { topic, partition, missing, found: logOffsetOf(beyond), kafkaOffset: beyond.offset };
  return new EventLogError('log.gap', details, `${topic}/${partition} lacks log offset ${missing}`);
}

/** The rows among what was read. */
export const storedOf = (read: readonly Read[]): StoredRecord[] =>
  read.flatMap((each) => ('stored' in each ? [each.stored] : []));
