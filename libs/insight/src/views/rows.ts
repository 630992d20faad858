import { copyInto, type EventRecord, type Tx } from '#event-log/index.js';

/** Where a record stands in the log, for people and SQL: `topic/partition/offset`. */
export const seqOf = (record: EventRecord): string => `${record.topic}/${record.partition}/${record.offset}`;

/**
 * Rows of one batch, one a key, handed out in the order of the keys: a statement may touch a row once only, and
 * transactions that write the same rows must do so in one order.
 */
export class Fold<Row extends object> {
  private readonly rows = new Map<string, Row>();

  constructor(private readonly keyOf: (row: Row) => readonly (string | number)[]) {}

  /** Adds a row. One that is there already becomes `merge(older, newer)`, or stays, as in a table without `set`: batches may be cut anywhere. */
  put(row: Row, merge?: (older: Row, newer: Row) => Row): void {
    const key = JSON.stringify(this.keyOf(row));
    const older = this.rows.get(key);
    if (older === undefined) this.rows.set(key, row);
    else if (merge !== undefined) this.rows.set(key, merge(older, row));
  }

  sorted(): Row[] {
    return [...this.rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
  }
}

type ColumnType = 'text' | 'int' | 'bigint' | 'timestamptz';

/** A table and its rows: property `changedAt` is column `changed_at`. */
export interface Target<Row extends object> {
  table: string;
  columns: Readonly<Record<keyof Row & string, ColumnType>>;
  key: readonly (keyof Row & string)[];
  /** No two records make one row, so that it is never there already when a read model is built anew: then rows may be copied. */
  isOfOneRecord?: true;
  /** What a row that is there already becomes (`p` is it, `excluded` the new one); absent: it stays. */
  set?: string;
}

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Writes rows by one statement, one array parameter a column. */
export async function upsert<Row extends Record<keyof Row, string | number | null>>(
  tx: Tx,
  target: Target<Row>,
  rows: readonly Row[],
): Promise<void> {
  if (rows.length === 0) return;
  const names = Object.keys(target.columns) as (keyof Row & string)[];
  const columns = new Map(names.map((name) => [name, snake(name)]));
  if (target.isOfOneRecord === true && (await copyInto<Row>(tx, target.table, columns, rows))) return;
  const arrays = names.map((name, index) => `$${index + 1}::${target.columns[name]}[]`);
  await tx.query(
    `insert into ${target.table} as p (${names.map(snake).join(', ')}) select * from unnest(${arrays.join(', ')})
     on conflict (${target.key.map(snake).join(', ')}) ${target.set === undefined ? 'do nothing' : `do update set ${target.set}`}`,
    names.map((name) => rows.map((row) => row[name])),
  );
}
