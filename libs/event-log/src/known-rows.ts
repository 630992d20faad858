import { Recent } from '#runtime/index.js';
import type { Tx } from './database.js';

/** A device, and what a table has of it. */
export interface RowName {
  tenant: string;
  deviceId: string;
}

export interface KnownRowsOptions {
  /** Of a role that may see which rows of the tables change, of all tenants. */
  database: Tx;
  /** Whose `notesChanges` were migrated. */
  tables: readonly string[];
  /** Devices that are known at a time; of those beyond, the ones that were not asked for longest are read again. */
  atMost: number;
}

/** Nothing that is answered is older: the longest that another process's change takes to be seen here. */
const MAX_AGE_MS = 1_000;
const LOOK_EVERY_MS = 400;
/** A look that has no answer by then, from a host that went silently, is given up. */
const LOOK_PATIENCE_MS = 5_000;
/** Above it, asking what has changed costs more than reading it again. */
const CHANGES_AT_MOST = 10_000;

/**
 * What was read of devices, kept in memory for as long as it holds. One question for all devices at once, at most every
 * 400 ms and only while somebody asks, tells which of their rows have changed: those and no others are forgotten. When the last answer to it is
 * over a second old (the database is away, or nobody asked for a while), nothing counts as known.
 */
export class KnownRows<V extends NonNullable<unknown>> {
  private readonly kept: Recent<string, V>;
  private snapshot: string | null = null;
  private seenAt = -Infinity;
  /** When the next look is due. */
  private lookAt = -Infinity;
  private looks = 0;
  /** Grows with each change that was heard of, so that what was read before it is not kept after it. */
  private changes = 0;

  constructor(private readonly options: KnownRowsOptions) {
    this.kept = new Recent(options.atMost);
  }

  /** @returns undefined when it has to be read */
  get(row: RowName): V | undefined {
    // Not the port's clock: this is about how old an answer is, which a test's clock does not change.
    const now = performance.now();
    if (now >= this.lookAt) void this.look(now);
    return now - this.seenAt < MAX_AGE_MS ? this.kept.get(keyOf(row)) : undefined;
  }

  /** Reads it, and knows it from then on. */
  async read(row: RowName, load: () => Promise<V>): Promise<V> {
    const before = this.changes;
    const value = await load();
    if (this.changes === before) this.kept.set(keyOf(row), value);
    else this.kept.delete(keyOf(row));
    return value;
  }

  /** To be called when this process has committed a change: it counts at once. */
  changed(row: RowName): void {
    this.changes += 1;
    this.kept.delete(keyOf(row));
  }

  /** One at a time; a failure leaves the snapshot, so that the next look misses nothing. What one that was given up answers late counts no more. */
  private async look(now: number): Promise<void> {
    const look = (this.looks += 1);
    this.lookAt = now + LOOK_PATIENCE_MS;
    try {
      const { snapshot, changed } = await this.changedSince(this.snapshot);
      if (look !== this.looks) return;
      this.changes += 1;
      if (this.snapshot === null || changed.length > CHANGES_AT_MOST) this.kept.clear();
      else for (const key of changed) this.kept.delete(key);
      this.snapshot = snapshot;
      this.seenAt = now;
    } catch {
      // Nothing is known then, and whoever reads instead hears why.
    }
    if (look === this.looks) this.lookAt = now + LOOK_EVERY_MS;
  }

  /**
   * What was committed since the snapshot was taken. By transaction ids and not by numbers or times, which are given before
   * the commit, and so may come to light behind later ones.
   */
  private async changedSince(snapshot: string | null): Promise<{ snapshot: string; changed: string[] }> {
    const changes = this.options.tables.map(
      (table) => `select tenant || '/' || device_id as key from ${table}
        where changed_in >= pg_snapshot_xmin($1::pg_snapshot) and not pg_visible_in_snapshot(changed_in, $1::pg_snapshot)`,
    );
    const [row] = await this.options.database.query<{ snapshot: string; changed: string[] }>(
      `select pg_current_snapshot()::text as snapshot,
         array(select key from (${changes.join(' union ')}) as changes limit ${CHANGES_AT_MOST + 1}) as changed`,
      [snapshot],
    );
    return row!;
  }
}

const keyOf = ({ tenant, deviceId }: RowName): string => `${tenant}/${deviceId}`;

/**
 * Makes the rows of a table (with `tenant` and `device_id`) say in which transaction they changed last. The trigger is
 * `always`, so that a restore's rows are of its own transaction: ids of another server mean nothing.
 */
export function notesChanges(table: string): string[] {
  const name = table.replace(/^.*\./, '');
  return [
    `create or replace function ops.note_change() returns trigger language plpgsql as
       $$ begin new.changed_in := pg_catalog.pg_current_xact_id(); return new; end $$`,
    `alter table ${table} add column changed_in xid8 not null default pg_current_xact_id()`,
    `create trigger note_change before insert or update on ${table} for each row execute function ops.note_change()`,
    `alter table ${table} enable always trigger note_change`,
    `create index ${name}_by_change on ${table} (changed_in)`,
    `grant select (tenant, device_id, changed_in) on ${table} to muster_tail`,
    `create policy tail_sees_changes on ${table} for select to muster_tail using (true)`,
  ];
}
