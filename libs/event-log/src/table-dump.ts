import type { Tx } from './database.js';

/** Rows of one table as text, in the order of `columns`: every type's own text, which Postgres reads back bit by bit. */
export interface TableShape {
  /** `schema.table`. */
  table: string;
  columns: readonly { name: string; type: string }[];
}
export type TextRow = readonly (string | null)[];

const FETCH = 1_000;

/** Tables that hold rows themselves, or by their partitions; views and what is rebuilt have none here. */
export async function tablesIn(tx: Tx, schemas: readonly string[]): Promise<TableShape[]> {
  const rows = await tx.query<{ table: string; columns: TableShape['columns'] }>(
    `select n.nspname || '.' || c.relname as table,
       json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod)) order by a.attnum) as columns
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
     where n.nspname = any($1) and c.relkind in ('r', 'p') and not c.relispartition
     group by 1 order by 1`,
    [schemas],
  );
  return rows;
}

/** Reads a table by a cursor of the transaction, so that no more than a page is in memory. */
export async function* dumpTable(tx: Tx, { table, columns }: TableShape): AsyncGenerator<TextRow[]> {
  await tx.query("set local timezone = 'UTC'");
  const texts = columns.map(({ name }, i) => `${quoted(name)}::text as c${i}`);
  await tx.query(`declare dump no scroll cursor for select ${texts.join(', ')} from ${nameOf(table)}`);
  for (;;) {
    const rows = await tx.query<Record<string, string | null>>(`fetch ${FETCH} from dump`);
    if (rows.length === 0) break;
    yield rows.map((row) => columns.map((_, i) => row[`c${i}`] ?? null));
  }
  await tx.query('close dump');
}

/** Puts rows into an empty table. Superuser: foreign keys are not looked at, because the rows come from one snapshot. */
export async function loadRows(tx: Tx, { table, columns }: TableShape, rows: readonly TextRow[]): Promise<void> {
  const names = columns.map(({ name }) => quoted(name)).join(', ');
  const values = columns.map(({ type }, i) => `x.c${i}::${type}`).join(', ');
  const arrays = columns.map((_, i) => `$${i + 1}::text[]`).join(', ');
  const aliases = columns.map((_, i) => `c${i}`).join(', ');
  await tx.query(
    `insert into ${nameOf(table)} (${names}) select ${values} from unnest(${arrays}) as x (${aliases})`,
    columns.map((_, i) => rows.map((row) => row[i] ?? null)),
  );
}

/** Empties tables that a migration filled, and lets rows in whatever their order. */
export async function beginLoad(tx: Tx, tables: readonly TableShape[]): Promise<void> {
  await tx.query("set local session_replication_role = 'replica'");
  await tx.query(`truncate ${tables.map(({ table }) => nameOf(table)).join(', ')}`);
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const nameOf = (table: string): string => table.split('.').map(quoted).join('.');
