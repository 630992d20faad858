import { newSchema } from './build-lock.js';
import type { Database, Tx } from './database.js';
import type { Projection } from './projection.js';
import { BOOKS, makeBooks, makeTables } from './projection-build.js';

/**
 * Where the live tables are found: views of the same names. The tables are in a schema of their own, a generation, which
 * a rebuild replaces as a whole; `proj.generation` says which.
 */
export const LIVE = 'proj';

/** What all processes that keep projections have in common. */
const SHARED = `
  create table if not exists proj.generation (
    projection text, version int, schema text not null unique,
    primary key (projection, version));
  create table if not exists proj.worker (
    id text primary key, projections text[] not null, stopped text[] not null, seen_at timestamptz not null);
  grant select on proj.generation to muster_insight, muster_analytics`;

/**
 * The schema of the live tables, made where there is none. Tables that release 0.1.0 made in `proj` itself are moved
 * there with their rows and checkpoints.
 */
export function prepareGeneration(database: Database, projection: Projection): Promise<string> {
  return database.transaction(async (tx) => {
    await tx.query(`select pg_advisory_xact_lock(hashtext('muster.projections'))`);
    await tx.query(SHARED);
    const known = await liveSchema(tx, projection);
    if (known !== undefined) return known;
    const schema = newSchema('live', projection);
    await tx.query(`create schema ${schema}`);
    await ((await hasPlainTables(tx, projection)) ? adopt : makeTables)(tx, projection, schema);
    await pointTo(tx, projection, schema);
    return schema;
  });
}

/** @returns undefined where none was made yet, or somebody has dropped it to have it made anew */
export async function liveSchema(tx: Tx, { name, version }: Projection): Promise<string | undefined> {
  const [row] = await tx.query<{ schema: string }>(
    `select schema from proj.generation
     where projection = $1 and version = $2 and to_regnamespace(schema) is not null`,
    [name, version],
  );
  return row?.schema;
}

/**
 * Waits for readers that have locked the generations, and keeps others out until `tx` ends. A snapshot that was taken
 * before a swap would see the new tables as they were then, half built: so who takes one locks first.
 */
export const lockGenerations = (tx: Tx): Promise<object[]> =>
  tx.query('lock table proj.generation in access exclusive mode');

/** Makes a schema's tables the live ones. */
export async function pointTo(
  tx: Tx,
  { name, version, tables, views = [] }: Projection,
  schema: string,
): Promise<void> {
  await tx.query(`grant usage on schema ${schema} to muster_insight, muster_analytics`);
  for (const table of tables) {
    // With the reader's own rights, so that the policies of the table hold.
    await tx.query(
      `create or replace view ${LIVE}.${table} with (security_invoker = true) as select * from ${schema}.${table}`,
    );
    await tx.query(`grant select on ${LIVE}.${table} to muster_insight`);
  }
  for (const view of views) {
    await tx.query(`set local role ${view.owner}`);
    await tx.query(`create or replace view ${view.name} as ${view.sql(schema)}`);
    await tx.query('set local role none');
  }
  await tx.query(
    `insert into proj.generation values ($1, $2, $3)
     on conflict (projection, version) do update set schema = excluded.schema`,
    [name, version, schema],
  );
}

async function hasPlainTables(tx: Tx, { tables }: Projection): Promise<boolean> {
  const found = await tx.query(
    `select from pg_class where relnamespace = 'proj'::regnamespace and relkind = 'r' and relname = any($1)`,
    [tables],
  );
  return found.length === tables.length;
}

async function adopt(tx: Tx, { name, version, tables }: Projection, schema: string): Promise<void> {
  for (const table of tables) await tx.query(`alter table ${LIVE}.${table} set schema ${schema}`);
  await makeBooks(tx, schema);
  for (const book of BOOKS)
    await tx.query(
      `with moved as (delete from ${LIVE}.${book} where projection = $1 and version = $2 returning *)
       insert into ${schema}.${book} select * from moved`,
      [name, version],
    );
  const others = await tx.query(`select from ${LIVE}.checkpoint limit 1`);
  if (others.length === 0) for (const book of BOOKS) await tx.query(`drop table ${LIVE}.${book}`);
}
