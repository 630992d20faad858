import { wireType } from './catalog.js';
import type { Tx } from './database.js';
import type { EventRecord, Topic } from './event-log.js';

/**
 * A read model: tables that are a fold of the log. Commutative across partitions (they interleave differently in a
 * rebuild), ordered within one; no clock, no randomness, no other table. A fact before its aggregate makes a stub row.
 */
export interface Projection {
  name: string;
  /** Another version has other tables and starts at offset 0. */
  version: number;
  topics: readonly Topic[];
  /** Statements that make the tables `p_<name>…_v<version>`, unqualified: the runner sets the schema. */
  ddl: readonly string[];
  /** Every table of `ddl`, each with a primary key: what rebuild swaps and verify compares. */
  tables: readonly string[];
  /** Views of others over the tables, which a rebuild points at the new tables in the same transaction. */
  views?: readonly ProjectionView[];
  /** Applies records of one partition in order; runs in the transaction that moves the checkpoint. Throwing parks a stream. */
  apply(batch: readonly EventRecord[], tx: Tx): Promise<void>;
}

/** A view that does not run with its reader's rights, so it cannot stand on the views in `proj` but needs the tables themselves. */
export interface ProjectionView {
  /** With its schema. */
  name: string;
  /** A role that `muster_projector` may become, and that the tables are granted to. */
  owner: string;
  sql: (schema: string) => string;
}

/**
 * The event that erases a subject's personal data. A projection gets it even when the stream is parked, and once more
 * when the stream is replayed, so applying it twice must do as applying it once.
 */
export const ERASURE = 'SubjectForgotten';

/** Also when it cannot be read, of whatever version. */
export const isErasure = ({ topic, type }: Pick<EventRecord, 'topic' | 'type'>): boolean =>
  type === ERASURE || type.startsWith(wireType(topic, ERASURE).slice(0, -1));

const NAME = /^[a-z][a-z0-9_]{0,31}$/;

export function projection(name: string, version: number, parts: Omit<Projection, 'name' | 'version'>): Projection {
  if (!NAME.test(name)) throw new Error(`${name} is not a name of a projection`);
  const stray = parts.tables.find((table) => !table.startsWith(`p_${name}`) || !table.endsWith(`_v${version}`));
  if (stray !== undefined) throw new Error(`${stray}: tables of ${name} are p_${name}…_v${version}`);
  return { name, version, ...parts };
}

/** DDL for a projection's table with a column `tenant`: the query side sees the tenant that its transaction names. */
export function tenantPolicy(table: string): string {
  return `grant select on ${table} to muster_insight;
    alter table ${table} enable row level security;
    alter table ${table} force row level security;
    create policy projector on ${table} to muster_projector using (true) with check (true);
    create policy tenant on ${table} for select to muster_insight
      using (tenant = current_setting('muster.tenant', true))`;
}
