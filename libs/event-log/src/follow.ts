import { setTimeout as sleep } from 'node:timers/promises';
import { guarded } from '#runtime/index.js';
import {
  type EventLog,
  EventLogError,
  type EventRecord,
  type MaybeFaulty,
  PARTITIONS,
  type Position,
  type Topic,
} from './event-log.js';
import { nextOffset, partitionKey } from './position.js';

/** Where a follower stands still, because it cannot read what comes next. */
export interface StandsAt {
  topic: Topic;
  partition: number;
  offset: number;
  stream: string;
  type: string;
  fault: string;
}

export interface FollowOptions {
  topics: readonly Topic[];
  /** All tenants when absent. */
  tenant?: string;
  /** The caller keeps the position, in the transaction of what it does with the records. */
  from: Position;
  signal: AbortSignal;
  /** All places where it stands still, whenever one comes or goes; and the one that came. */
  onStanding?: (places: readonly StandsAt[], came?: StandsAt) => void;
  batchSize?: number;
  /** How long before it looks again at what it could not read. */
  standMs?: number;
}

/** How long to wait while the log is away. */
const AWAY_MS = 1_000;
const STAND_MS = 5_000;

/**
 * Hands over records as they are appended, one partition's batch at a time, with the position after them; for process
 * managers, whose effects must not be in projections. A partition stands still before a record that cannot be read, as
 * half of a stream must not be acted on, and goes on once it can be; what is not of the log is passed by. Ends when
 * aborted; rejects with what the handler throws.
 */
export async function follow(
  log: EventLog,
  options: FollowOptions,
  handler: (batch: readonly EventRecord[], after: Position) => Promise<void>,
): Promise<void> {
  const { topics, signal } = options;
  const standing = new Standing(options);
  let position = options.from;
  while (!signal.aborted) {
    const heads = await unlessAway(() => log.heads(topics));
    const before = position;
    for (const { topic, partition } of partitionsOf(topics)) {
      const head = nextOffset(heads ?? {}, topic, partition);
      if (signal.aborted || nextOffset(position, topic, partition) >= head) continue;
      if (standing.isWaiting(topic, partition)) continue;
      position = await handOver({ log, options, standing, handler }, position, { topic, partition, head });
    }
    if (position !== before) continue;
    await (heads === undefined
      ? sleep(AWAY_MS, undefined, { signal }).catch(() => undefined)
      : log.waitForAppend(1_000, signal));
  }
}

export const partitionsOf = (topics: readonly Topic[]): { topic: Topic; partition: number }[] =>
  topics.flatMap((topic) => Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition })));

interface Following {
  log: EventLog;
  options: FollowOptions;
  standing: Standing;
  handler: Parameters<typeof follow>[2];
}

async function handOver(
  { log, options, standing, handler }: Following,
  position: Position,
  { topic, partition, head }: { topic: Topic; partition: number; head: number },
): Promise<Position> {
  const { tenant, batchSize = 500 } = options;
  const from = nextOffset(position, topic, partition);
  const batch = await unlessAway(() => log.readTolerantly(topic, partition, from, batchSize, tenant));
  if (batch === undefined) return position;
  const last = batch.at(-1)?.offset ?? -1;
  if (tenant === undefined) requireUpTo(head, { topic, partition, from, batch, batchSize });
  const unreadable = batch.find(({ fault, isForeign = false }) => fault !== undefined && !isForeign);
  standing.settle(topic, partition, unreadable);
  // Of one tenant fewer than asked for means that the others below the head are not its own.
  const next = unreadable?.offset ?? (batch.length === batchSize ? last + 1 : Math.max(head, last + 1));
  if (next === from) return position;
  const after = { ...position, [partitionKey(topic, partition)]: next };
  const own = batch.filter(({ offset, isForeign = false }) => offset < next && !isForeign); // the reader has reported those
  if (own.length > 0) await handler(own, after);
  return after;
}

/** The partitions of a follower that stand still. */
class Standing {
  private readonly places = new Map<string, StandsAt & { until: number }>();

  constructor(private readonly options: Pick<FollowOptions, 'onStanding' | 'standMs'>) {}

  isWaiting(topic: Topic, partition: number): boolean {
    return (this.places.get(partitionKey(topic, partition))?.until ?? 0) > performance.now();
  }

  settle(topic: Topic, partition: number, unreadable: MaybeFaulty | undefined): void {
    const key = partitionKey(topic, partition);
    const before = this.places.get(key);
    if (unreadable === undefined) this.places.delete(key);
    else {
      const { offset, stream, type, fault = '' } = unreadable;
      const until = performance.now() + (this.options.standMs ?? STAND_MS);
      this.places.set(key, { topic, partition, offset, stream, type, fault, until });
    }
    if (before?.offset === unreadable?.offset) return;
    const places = [...this.places.values()].map(({ until: _, ...place }) => place);
    const came = places.find((place) => partitionKey(place.topic, place.partition) === key);
    this.options.onStanding?.(places, came);
  }
}

/** All tenants' records are dense up to the head: fewer were lost, or are hidden from the role, and must not be passed by. */
function requireUpTo(
  head: number,
  read: { topic: Topic; partition: number; from: number; batch: readonly EventRecord[]; batchSize: number },
): void {
  const { topic, partition, from, batch, batchSize } = read;
  if (!guarded('gap')) return;
  if (batch.length >= Math.min(batchSize, head - from)) return;
  throw new EventLogError('log.gap', { topic, partition, missing: from + batch.length });
}

async function unlessAway<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof EventLogError && error.code === 'log.unavailable') return undefined;
    throw error;
  }
}
