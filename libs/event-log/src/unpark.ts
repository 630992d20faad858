import type { Database } from './database.js';
import type { EventLog, Topic } from './event-log.js';
import { applyParked, ProjectionError } from './parked.js';
import type { ProjectionBuild } from './projection-build.js';

/**
 * Applies what a stream has parked, in order, all or nothing.
 * @throws ProjectionError `projection.not-parked`, `projection.poison`
 */
export function unpark(
  live: ProjectionBuild,
  stream: string,
  { database, source }: { database: Database; source: EventLog },
): Promise<void> {
  const { projection } = live;
  const { name, version } = projection;
  return database.transaction(async (tx) => {
    await live.hold(tx);
    await live.enter(tx);
    const rows = await tx.query<{ topic: Topic; part: number; off: number }>(
      `with gone as (
         delete from parked where projection = $1 and version = $2 and stream = $3 returning topic, part, off)
       select * from gone order by topic, off`,
      [name, version, stream],
    );
    if (rows.length === 0) throw new ProjectionError('projection.not-parked', { projection: name, stream });
    for (const { topic, part, off } of rows)
      for (const record of await source.readTolerantly(topic, part, off, 1)) await applyParked(projection, tx, record);
  });
}
