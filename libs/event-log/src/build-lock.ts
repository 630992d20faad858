import { randomBytes } from 'node:crypto';
import type { Database, Tx } from './database.js';
import type { Projection } from './projection.js';

/** Says that a copy's schema is in use. It goes with its session, so also when the process is killed. */
export interface BuildLock {
  release(): void;
}

const BESIDE = /^proj_(shadow|asof)_[a-z0-9_]+$/;

/** A new schema for a copy beside the live tables. */
export const schemaBeside = (kind: 'shadow' | 'asof', { name }: Projection): string =>
  `proj_${kind}_${name}_${randomBytes(6).toString('hex')}`;

/** Take it before the schema is made: one without a lock is swept. */
export async function lockBuild(database: Database, schema: string): Promise<BuildLock> {
  const session = await database.session();
  try {
    await session.query('select pg_advisory_lock($1)', [await keyOf(session, schema)]);
  } catch (error) {
    session.release();
    throw error;
  }
  return session;
}

/** Drops the copies that no living session owns. */
export async function sweepBuilds(database: Database): Promise<readonly string[]> {
  const schemas = await database.query<{ name: string }>(
    'select nspname as name from pg_namespace where nspname ~ $1 and pg_has_role(nspowner, $2)',
    [BESIDE.source, 'usage'],
  );
  const swept: string[] = [];
  for (const { name } of schemas) if (await dropIfFree(database, name)) swept.push(name);
  return swept;
}

function dropIfFree(database: Database, schema: string): Promise<boolean> {
  return database.transaction(async (tx) => {
    const key = await keyOf(tx, schema);
    const [lock] = await tx.query<{ isFree: boolean }>('select pg_try_advisory_xact_lock($1) as "isFree"', [key]);
    if (lock?.isFree !== true) return false;
    await tx.query(`drop schema if exists ${schema} cascade`);
    return true;
  });
}

/** As text: 64 bits do not fit into a number. */
async function keyOf(tx: Tx, schema: string): Promise<string> {
  const [row] = await tx.query<{ key: string }>('select hashtextextended($1, 0)::text as key', [
    `muster.build/${schema}`,
  ]);
  return row?.key ?? '';
}
