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

export interface FollowOptions {
  topics: readonly Topic[];
  /** All tenants when absent. */
  tenant?: string;
  /** The caller keeps the position, in the transaction of what it does with the records. */
  from: Position;
  signal: AbortSignal;
  batchSize?: number;
}

/** How long to wait while the log is away. */
const AWAY_MS = 1_000;

/**
 * Hands over records as they are appended, one partition's batch at a time, with the position after them; for process
 * managers, whose effects must not be in projections. Ends when aborted; rejects with what the handler throws.
 */
export async function follow(
  log: EventLog,
  options: FollowOptions,
  handler: (batch: readonly EventRecord[], after: Position) => Promise<void>,
): Promise<void> {
  const { topics, signal } = options;
  let position = options.from;
  while (!signal.aborted) {
    const heads = await unlessAway(() => log.heads(topics));
    const before = position;
    for (const { topic, partition } of partitionsOf(topics)) {
      const head = nextOffset(heads ?? {}, topic, partition);
      if (signal.aborted || nextOffset(position, topic, partition) >= head) continue;
      position = await handOver({ log, options, handler }, position, { topic, partition, head });
    }
    if (position !== before) continue;
    await (heads === undefined
      ? sleep(AWAY_MS, undefined, { signal }).catch(() => undefined)
      : log.waitForAppend(1_000, signal));
  }
}

export const partitionsOf = (topics: readonly Topic[]): { topic: Topic; partition: number }[] =>
  topics.flatMap((topic) => Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition })));

async function handOver(
  { log, options, handler }: { log: EventLog; options: FollowOptions; handler: Parameters<typeof follow>[2] },
  position: Position,
  { topic, partition, head }: { topic: Topic; partition: number; head: number },
): Promise<Position> {
  const { tenant, batchSize = 500 } = options;
  const from = nextOffset(position, topic, partition);
  const batch = await unlessAway(() => log.read(topic, partition, from, batchSize, tenant));
  if (batch === undefined) return position;
  const last = batch.at(-1)?.offset ?? -1;
  if (tenant === undefined) requireUpTo(head, { topic, partition, from, batch, batchSize });
  // Of one tenant fewer than asked for means that the others below the head are not its own.
  const next = batch.length === batchSize ? last + 1 : Math.max(head, last + 1);
  const after = { ...position, [partitionKey(topic, partition)]: next };
  const readable = batch.filter((record: MaybeFaulty) => record.fault === undefined); // the reader has reported the others
  if (readable.length > 0) await handler(readable, after);
  return after;
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
