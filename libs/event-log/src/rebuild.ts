import { failpoint, pause } from '#runtime/index.js';
import type { Database } from './database.js';
import { type EventLog, EventLogError, type Position } from './event-log.js';
import { lockGenerations, pointTo } from './generation.js';
import type { LiveProjection } from './live-projection.js';
import { ProjectionError } from './parked.js';
import { reaches } from './position.js';
import type { ProjectionBuild } from './projection-build.js';

/** So few records behind, the swap may begin: what is left is applied while live traffic is held. */
const NEAR = 500;
/** How often the new tables follow a log that grows all the while, before they swap anyway. */
const ROUNDS = 20;
/**
 * How long the swap waits for a lock, with others waiting behind it; below Postgres' deadlock_timeout (1 s), so that of a
 * reader and a swap in each other's way the swap gives up. It tries again after a pause, for about two minutes.
 */
const LOCK_MS = 500;
const PAUSE_MS = 500;
const TRIES = 120;

interface Around {
  source: EventLog;
  database: Database;
  /** Of a process that stops. */
  signal?: AbortSignal;
  /** Of somebody who wants it no more; once the swap has begun it is done. */
  cancelled?: AbortSignal;
}

/**
 * Blue/green: builds new tables beside the live ones and puts them in their place. Live traffic is held for the last few
 * records and the change of views alone, whatever the size of the tables; a crash leaves the old ones or the new.
 */
export async function rebuild(
  live: LiveProjection,
  green: ProjectionBuild,
  { source, database, signal, cancelled }: Around,
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    await follow(green, source, cancelled);
    cancelled?.throwIfAborted();
    failpoint('rebuild.before-swap');
    try {
      await live.on((blue) => swap(blue, green, source, database));
      break;
    } catch (error) {
      if (!isLocked(error)) throw error;
      const { name } = green.projection;
      await pause(PAUSE_MS, signal); // aborted: a shutdown does not wait for readers
      if (tries === TRIES || signal?.aborted === true)
        throw new ProjectionError('projection.swap-blocked', { projection: name, tries });
    }
  }
  failpoint('rebuild.after-swap');
}

/** Applies the log until little of it is left. */
async function follow(green: ProjectionBuild, source: EventLog, cancelled?: AbortSignal): Promise<void> {
  const { topics } = green.projection;
  for (let round = 0; round < ROUNDS; round += 1) {
    const heads = await source.heads(topics);
    const position = await green.position();
    const behind = Object.entries(heads).reduce((sum, [key, head]) => sum + head - (position[key] ?? 0), 0);
    if (behind <= NEAR) return;
    await green.fill(source, { position: heads }, { cancelled });
  }
}

/**
 * Holds every checkpoint of the live build, brings the new one at least as far, and points views and readers to it. The
 * old checkpoint goes with it: who waits for it, to apply to the old tables, finds none and looks for the new.
 */
async function swap(
  blue: ProjectionBuild,
  green: ProjectionBuild,
  source: EventLog,
  database: Database,
): Promise<void> {
  if (blue.schema === green.schema) return; // committed before, though the answer was lost
  const { projection } = green;
  await database.transaction(async (tx) => {
    await tx.query(`set local lock_timeout = ${LOCK_MS}`);
    await tx.query(`set local idle_in_transaction_session_timeout = '30s'`); // a stopped process must not hold the others
    const applied = await blue.hold(tx);
    await green.fill(source, { position: await source.heads(projection.topics) });
    requireReached(await green.position(), applied);
    await green.force(tx);
    await lockGenerations(tx);
    await pointTo(tx, projection, green.schema);
    await tx.query(`delete from ${blue.schema}.checkpoint`);
    failpoint('rebuild.in-swap');
  });
}

/** A log that has become shorter must not take rows away. */
function requireReached(position: Position, applied: Position): void {
  if (reaches(position, applied)) return;
  throw new EventLogError('log.gap', { message: 'the log ends before what the live tables have applied' });
}

const isLocked = (error: unknown): boolean => error instanceof EventLogError && error.code === 'log.unavailable';
