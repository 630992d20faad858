import { isRebuilding } from './build-lock.js';
import type { Database } from './database.js';
import type { Position, Topic } from './event-log.js';
import { partitionsOf } from './follow.js';
import type { LiveProjection } from './live-projection.js';
import { listParked, type ParkedStream } from './parked.js';
import { nextOffset } from './position.js';

/** Where a projection is in a partition. */
export interface PartitionStatus {
  topic: Topic;
  partition: number;
  /** Offset of what it applies next. */
  next: number;
  /** Records not yet looked at. */
  events: number;
}

export interface ProjectionStatus {
  name: string;
  version: number;
  topics: readonly Topic[];
  position: Position;
  /** Records of the log not yet looked at: in all, and in each partition. */
  lag: number;
  behind: readonly PartitionStatus[];
  parked: readonly ParkedStream[];
  /** Partitions, as `topic/partition`, that stand still because a record is missing. */
  stopped: readonly string[];
  /** New tables are being built, by whatever process. */
  isRebuilding: boolean;
}

/** How far a projection is, and what it could not apply. */
export async function statusOf(
  live: LiveProjection,
  database: Database,
  heads: Position,
): Promise<Omit<ProjectionStatus, 'stopped'>> {
  const { name, version, topics } = live.projection;
  const [position, parked] = await live.on(
    async (build) =>
      [
        await build.position(),
        await database.transaction(async (tx) => {
          await build.enter(tx);
          return listParked(tx, live.projection);
        }),
      ] as const,
  );
  const behind = partitionsOf(topics).map(({ topic, partition }) => {
    const next = nextOffset(position, topic, partition);
    return { topic, partition, next, events: nextOffset(heads, topic, partition) - next };
  });
  const lag = behind.reduce((sum, { events }) => sum + events, 0);
  const rebuilding = await isRebuilding(database, live.projection);
  return { name, version, topics, position, lag, behind, parked, isRebuilding: rebuilding };
}
