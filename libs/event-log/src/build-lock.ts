import { randomBytes } from 'node:crypto';
import type { Database, Session, Tx } from './database.js';
import { EventLogError } from './event-log.js';
import { ProjectionError } from './parked.js';
import type { Projection } from './projection.js';

/** Says that a copy's schema is in use. It goes with its session, so also when the process is killed. */
export interface BuildLock {
  release(): Promise<void>;
}

const BUILDS = /^proj_(live|shadow|asof)_[a-z0-9_]+$/;

/** A new schema: for tables that are, or are to become, the live ones, or for a copy beside them. */
export const newSchema = (kind: 'live' | 'shadow' | 'asof', { name }: Projection): string =>
  `proj_${kind}_${name}_${randomBytes(6).toString('hex')}`;

/** Take it before the schema is made: one without a lock is swept. */
export function lockBuild(database: Database, schema: string): Promise<BuildLock> {
  return locked(database, async (session) => {
    await session.query('select pg_advisory_lock($1)', [await keyOf(session, `build/${schema}`)]);
  });
}

/** One rebuild of a projection at a time, in whatever process. @throws ProjectionError `projection.rebuilding` */
export function lockRebuild(database: Database, { name }: Projection): Promise<BuildLock> {
  return locked(database, async (session) => {
    const key = await keyOf(session, `rebuild/${name}`);
    const [lock] = await session.query<{ isFree: boolean }>('select pg_try_advisory_lock($1) as "isFree"', [key]);
    if (lock?.isFree !== true) throw new ProjectionError('projection.rebuilding', { projection: name });
  });
}

async function locked(database: Database, take: (session: Session) => Promise<void>): Promise<BuildLock> {
  const session = await database.session();
  const release = async () => {
    // Told, not only hung up: who looks next finds it free.
    await session.query('select pg_advisory_unlock_all()').catch(() => undefined);
    session.release();
  };
  try {
    await take(session);
  } catch (error) {
    await release();
    throw error;
  }
  return { release };
}

export async function isRebuilding(tx: Tx, { name }: Projection): Promise<boolean> {
  const [row] = await tx.query<{ isHeld: boolean }>(`select ${isHeldSql('$1')} as "isHeld"`, [`rebuild/${name}`]);
  return row?.isHeld === true;
}

/** Whether a session holds the lock of a name. @param name  SQL of a text */
export const isHeldSql = (name: string): string => `exists (
  select from pg_locks where locktype = 'advisory' and granted and objsubid = 1
    and database = (select oid from pg_database where datname = current_database())
    and (classid::bigint << 32 | objid::bigint) = hashtextextended('muster.' || ${name}, 0))`;

/** Drops what no living session builds or reads and what is not live: copies, and tables that others have replaced. */
export async function sweepBuilds(database: Database): Promise<readonly string[]> {
  const schemas = await database.query<{ name: string }>(
    'select nspname as name from pg_namespace where nspname ~ $1 and pg_has_role(nspowner, $2)',
    [BUILDS.source, 'usage'],
  );
  const swept: string[] = [];
  for (const { name } of schemas) if (await dropIfFree(database, name)) swept.push(name);
  return swept;
}

/** Who reads old tables in a transaction that is still open keeps them a while longer; nobody waits behind the drop. */
async function dropIfFree(database: Database, schema: string): Promise<boolean> {
  try {
    return await database.transaction(async (tx) => {
      await tx.query(`set local lock_timeout = '200ms'`);
      const key = await keyOf(tx, `build/${schema}`);
      const [lock] = await tx.query<{ isFree: boolean }>('select pg_try_advisory_xact_lock($1) as "isFree"', [key]);
      if (lock?.isFree !== true) return false;
      await tx.query('lock table proj.generation in access share mode'); // no swap between the look and the drop
      if (await isLive(tx, schema)) return false;
      await tx.query(`drop schema if exists ${schema} cascade`);
      return true;
    });
  } catch (error) {
    if (error instanceof EventLogError && error.code === 'log.unavailable') return false; // in use, or away: next time
    throw error;
  }
}

async function isLive(tx: Tx, schema: string): Promise<boolean> {
  const found = await tx.query('select from proj.generation where schema = $1', [schema]);
  return found.length > 0;
}

/** As text: 64 bits do not fit into a number. */
export async function keyOf(tx: Tx, name: string): Promise<string> {
  const [row] = await tx.query<{ key: string }>('select hashtextextended($1, 0)::text as key', [`muster.${name}`]);
  return row?.key ?? '';
}
