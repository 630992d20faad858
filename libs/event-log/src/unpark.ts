import { lockRebuild } from './build-lock.js';
import type { Database, Tx } from './database.js';
import type { EventLog, EventRecord, Topic } from './event-log.js';
import { failureOfParked, ProjectionError } from './parked.js';
import { type PassedOver, withoutPassedOver } from './passed-over.js';
import { isErasure } from './projection.js';
import type { ProjectionBuild } from './projection-build.js';

/** How a person wants a stream unparked. */
export interface Unparking {
  /** Passes over what fails once more, instead of refusing. An erasure is never passed over: what it erases would stay. */
  discards?: boolean;
  /** Keeps the decision just before the rows that follow from it are committed. When it throws, nothing has changed. */
  decide?: (unparked: Unparked) => Promise<void>;
}

export interface Unparked {
  version: number;
  /** Records applied. */
  applied: number;
  passedOver: readonly PassedOver[];
}

/**
 * Applies what a stream has parked, in order, all or nothing. No rebuild goes on meanwhile: its tables might already have
 * been past the place, with the stream parked in them.
 * @throws ProjectionError `projection.not-parked`, `projection.poison`, `projection.rebuilding`
 */
export async function unpark(
  live: ProjectionBuild,
  stream: string,
  { database, source }: { database: Database; source: EventLog },
  { discards = false, decide }: Unparking,
): Promise<Unparked> {
  const { version } = live.projection;
  const lock = await lockRebuild(database, live.projection);
  try {
    return await database.transaction(async (tx) => {
      await live.hold(tx);
      await live.enter(tx);
      const passedOver: PassedOver[] = [];
      let applied = 0;
      for await (const record of takeParked(live, tx, stream, source)) {
        const error = await failureOfParked(live.projection, tx, record);
        const { topic, partition, offset } = record;
        if (error === undefined) applied += 1;
        else if (discards && !isErasure(record)) passedOver.push({ topic, partition, offset, error });
        else throw new ProjectionError('projection.poison', { topic, partition, offset, stream, error }, STILL_FAILS);
      }
      await decide?.({ version, applied, passedOver });
      return { version, applied, passedOver };
    });
  } finally {
    await lock.release();
  }
}

const STILL_FAILS = 'the event still fails';

/** What is parked no more, in order; without what was passed over by a call that did not come to its end. */
async function* takeParked(
  { projection: { name, version } }: ProjectionBuild,
  tx: Tx,
  stream: string,
  source: EventLog,
): AsyncGenerator<EventRecord> {
  const rows = await tx.query<{ topic: Topic; part: number; off: number }>(
    `with gone as (
       delete from parked where projection = $1 and version = $2 and stream = $3 returning topic, part, off)
     select * from gone order by topic, off`,
    [name, version, stream],
  );
  if (rows.length === 0) throw new ProjectionError('projection.not-parked', { projection: name, stream });
  for (const { topic, part, off } of rows) {
    const read = await source.readTolerantly(topic, part, off, 1);
    yield* await withoutPassedOver(tx, [name, version, topic, part], read);
  }
}
