import type { Fetched, KafkaClient } from './kafka-client.js';

const FETCH_BYTES = 1_048_576;
/** Chunks and records that are kept: readers of a tail follow each other closely, and each record is some 20 objects. */
const KEPT = 128;
const KEPT_RECORDS = 6_000;

interface Chunk {
  place: string;
  from: number;
  fetching: Promise<Fetched>;
  fetched?: Fetched;
}

/** Chunks of partitions, fetched once for all readers that follow the same tail. What is in Kafka does not change. */
export class ChunkCache {
  private chunks: Chunk[] = [];

  constructor(private readonly client: KafkaClient) {}

  /** Records from `at` on. With more to come below `end`, the next chunk is asked for meanwhile. */
  async from(place: { topic: string; partition: number; end: number }, at: number): Promise<Fetched> {
    const { records, next } = await this.holding(place, at);
    if (next < place.end && next > at) this.holding(place, next).catch(() => undefined); // whoever reads it asks again
    const first = records.findIndex(({ offset }) => offset >= at);
    return { records: first <= 0 ? records : records.slice(first), next };
  }

  clear(): void {
    this.chunks = [];
  }

  private holding({ topic, partition }: { topic: string; partition: number }, at: number): Promise<Fetched> {
    const place = `${topic}/${partition}`;
    const known = this.chunks.find(
      (chunk) => chunk.place === place && (chunk.from === at || (chunk.from < at && at < (chunk.fetched?.next ?? 0))),
    );
    if (known !== undefined) return known.fetching;
    const chunk: Chunk = { place, from: at, fetching: this.client.fetch(topic, partition, at, FETCH_BYTES) };
    const forget = () => (this.chunks = this.chunks.filter((each) => each !== chunk));
    chunk.fetching.then((fetched) => {
      chunk.fetched = fetched;
      if (fetched.next === at) forget(); // nothing there yet
      this.dropOldest();
    }, forget); // who asked hears of the error
    this.chunks = [...this.chunks.slice(1 - KEPT), chunk];
    return chunk.fetching;
  }

  private dropOldest(): void {
    let records = 0;
    const oldest = this.chunks.findLastIndex(({ fetched }) => (records += fetched?.records.length ?? 0) > KEPT_RECORDS);
    this.chunks = this.chunks.slice(oldest + 1);
  }
}
