import { type EventLog, type EventRecord, PARTITIONS, type Position, type Topic } from '#event-log/index.js';

export interface Scan {
  tenant: string;
  topics: readonly Topic[];
  from: Position;
  limit: number;
  wanted: (record: EventRecord) => boolean;
}

export interface Scanned {
  records: EventRecord[];
  /** Everything before it was looked at. */
  position: Position;
  /** True: `position` is the end of the log as it was. */
  isAtEnd: boolean;
}

/** Records read of one partition at a time, and looked at in one scan: a filter that nothing fits must not run for ever. */
const CHUNK = 64;
const LOOKED_AT = 20_000;

/**
 * A page of a tenant's events: the partitions merged by when their next record came here, oldest first. Each
 * partition's own order always holds; across partitions the order is that of the clock that stamped them.
 */
export async function scan(log: EventLog, { tenant, topics, from, limit, wanted }: Scan): Promise<Scanned> {
  const heads = await log.heads(topics);
  const cursors = topics
    .flatMap((topic) => Array.from({ length: PARTITIONS }, (_, partition) => new Cursor(topic, partition, from, heads)))
    .filter((cursor) => !cursor.isDone);
  await Promise.all(cursors.map((cursor) => cursor.fill(log, tenant)));
  const records: EventRecord[] = [];
  let looked = 0;
  while (records.length < limit && looked < LOOKED_AT) {
    const oldest = cursors.filter((cursor) => cursor.next !== undefined).sort(byArrival)[0];
    if (oldest?.next === undefined) break;
    looked += 1;
    if (wanted(oldest.next)) records.push(oldest.next);
    await oldest.advance(log, tenant);
  }
  const position = { ...from, ...Object.fromEntries(cursors.map((cursor) => [cursor.key, cursor.offset])) };
  return { records, position, isAtEnd: cursors.every(({ isDone }) => isDone) };
}

/** One partition's place in a scan. */
class Cursor {
  readonly key: string;
  /** Next offset to look at. */
  offset: number;
  private readonly head: number;
  private rows: EventRecord[] = [];

  constructor(
    private readonly topic: Topic,
    private readonly partition: number,
    from: Position,
    heads: Position,
  ) {
    this.key = `${topic}/${partition}`;
    this.offset = from[this.key] ?? 0;
    this.head = heads[this.key] ?? 0;
  }

  get next(): EventRecord | undefined {
    return this.rows[0];
  }

  get isDone(): boolean {
    return this.rows.length === 0 && this.offset >= this.head;
  }

  /** Reads ahead up to the head that the scan began with. */
  async fill(log: EventLog, tenant: string): Promise<void> {
    // One that cannot be read is shown without its data: it must not hide all that came after it.
    const rows = await log.readTolerantly(this.topic, this.partition, this.offset, CHUNK, tenant);
    this.rows = rows.filter(({ offset }) => offset < this.head);
    if (this.rows.length === 0) this.offset = this.head; // the rest is other tenants'
  }

  async advance(log: EventLog, tenant: string): Promise<void> {
    const done = this.rows.shift();
    if (done !== undefined) this.offset = done.offset + 1;
    if (this.rows.length === 0 && this.offset < this.head) await this.fill(log, tenant);
  }
}

function byArrival(a: Cursor, b: Cursor): number {
  const [left, right] = [a.next?.receivedAt ?? '', b.next?.receivedAt ?? ''];
  if (left !== right) return left < right ? -1 : 1;
  return a.key < b.key ? -1 : 1;
}
