import type { Database } from './database.js';
import type { EventLog } from './event-log.js';
import { type ProjectionBuild } from './projection-build.js';

const BOOKS = ['seen_sequence', 'parked'];

/**
 * Replaces the live rows by freshly built ones. Built beside live traffic, then, in one transaction that holds the live
 * checkpoint: caught up, old rows out, new rows in. The tables stay, and with them their views, grants and policies;
 * readers see the old rows until the commit.
 */
export async function rebuild(
  live: ProjectionBuild,
  shadow: ProjectionBuild,
  source: EventLog,
  database: Database,
): Promise<void> {
  const { name, version, topics, tables } = live.projection;
  await shadow.fill(source, { position: await source.heads(topics) });
  await database.transaction(async (tx) => {
    await live.hold(tx);
    await shadow.fill(source, { position: await source.heads(topics) });
    for (const table of tables) {
      await tx.query(`delete from ${live.schema}.${table}`);
      await tx.query(`insert into ${live.schema}.${table} select * from ${shadow.schema}.${table}`);
    }
    // Updated, not replaced: a runner that waits for a checkpoint's row would find a deleted one and none instead.
    await tx.query(
      `update ${live.schema}.checkpoint c set next_off = s.next_off from ${shadow.schema}.checkpoint s
       where c.projection = $1 and c.version = $2 and (s.projection, s.version, s.topic, s.part)
         = (c.projection, c.version, c.topic, c.part)`,
      [name, version],
    );
    for (const book of BOOKS) {
      await tx.query(`delete from ${live.schema}.${book} where projection = $1 and version = $2`, [name, version]);
      await tx.query(`insert into ${live.schema}.${book} select * from ${shadow.schema}.${book}`);
    }
  });
}
