import type { Database, Tx } from './database.js';
import type { EventLog } from './event-log.js';
import type { ProjectionBuild } from './projection-build.js';

/** One cell that a rebuild would fill otherwise; column `*` when the whole row is missing on one side. */
export interface Difference {
  table: string;
  key: Readonly<Record<string, unknown>>;
  column: string;
  live: unknown;
  rebuilt: unknown;
}

export type Verified = { equal: true } | { equal: false; differences: readonly Difference[] };

/** Rows named at most, a table. */
const ROWS_SHOWN = 100;

/**
 * Compares the live tables with what the log makes of them now. The shadow is built beside live traffic; only to catch
 * up with it and to compare is the live checkpoint held.
 * @param cancelled ends it before that
 */
export async function verify(
  live: ProjectionBuild,
  shadow: ProjectionBuild,
  source: EventLog,
  database: Database,
  cancelled?: AbortSignal,
): Promise<Verified> {
  await shadow.fill(source, { position: await live.position() }, { cancelled });
  return database.transaction(async (holding) => {
    const position = await live.hold(holding);
    await shadow.fill(source, { position });
    const differences = await database.transaction(async (tx) => {
      await tx.query('set transaction isolation level repeatable read, read only');
      const found: Difference[] = [];
      for (const table of live.projection.tables) found.push(...(await compare(tx, table, live.schema, shadow.schema)));
      return found;
    });
    return differences.length === 0 ? { equal: true } : { equal: false, differences };
  });
}

async function compare(tx: Tx, table: string, live: string, shadow: string): Promise<Difference[]> {
  const keys = await primaryKey(tx, `${live}.${table}`);
  const rows = await tx.query<{ live: Row | null; rebuilt: Row | null }>(
    `select to_jsonb(l) as live, to_jsonb(r) as rebuilt
     from ${live}.${table} l full join ${shadow}.${table} r using (${keys.join(', ')})
     where to_jsonb(l) is distinct from to_jsonb(r) order by ${keys.join(', ')} limit ${ROWS_SHOWN}`,
  );
  return rows.flatMap(({ live: ours, rebuilt }) => {
    const key = Object.fromEntries(keys.map((name) => [name, (ours ?? rebuilt)?.[name]]));
    if (ours === null || rebuilt === null) return [{ table, key, column: '*', live: ours, rebuilt }];
    return Object.keys(ours)
      .filter((column) => JSON.stringify(ours[column]) !== JSON.stringify(rebuilt[column]))
      .map((column) => ({ table, key, column, live: ours[column], rebuilt: rebuilt[column] }));
  });
}

type Row = Record<string, unknown>;

async function primaryKey(tx: Tx, table: string): Promise<string[]> {
  const columns = await tx.query<{ name: string }>(
    `select quote_ident(a.attname) as name from pg_index i
     join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
     where i.indrelid = $1::regclass and i.indisprimary order by array_position(i.indkey::int2[], a.attnum)`,
    [table],
  );
  if (columns.length === 0) throw new Error(`${table} has no primary key to compare by`);
  return columns.map(({ name }) => name);
}
