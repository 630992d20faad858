import type { Tx } from './database.js';
import type { EventRecord, Topic } from './event-log.js';

/** A record that a projection does without, because it cannot be read or applied. */
export interface PassedOver {
  topic: Topic;
  partition: number;
  offset: number;
  /** Codes and names, no message. */
  error: string;
}

/** Who decides that records are passed over, and why. */
export interface Decision {
  projection: string;
  version: number;
  stream: string;
  tenant: string;
  reason: string;
  /** RFC 3339. */
  decidedAt: string;
}

/**
 * Leaves out what a person has decided to do without. Every build asks, live or beside it, so that all come to the same rows.
 * @param place projection, version, topic, partition
 */
export async function withoutPassedOver<R extends Pick<EventRecord, 'offset'>>(
  tx: Tx,
  place: readonly unknown[],
  records: readonly R[],
): Promise<readonly R[]> {
  const [first, last] = [records.at(0), records.at(-1)];
  if (first === undefined || last === undefined) return records;
  const rows = await tx.query<{ off: number }>(
    `select off from ops.passed_over
     where projection = $1 and version = $2 and topic = $3 and part = $4 and off between $5 and $6`,
    [...place, first.offset, last.offset],
  );
  if (rows.length === 0) return records;
  const offsets = new Set(rows.map(({ off }) => off));
  return records.filter(({ offset }) => !offsets.has(offset));
}

/** Keeps a decision. `tx` is in the tenant of who decides. */
export async function passOver(tx: Tx, decision: Decision, records: readonly PassedOver[]): Promise<void> {
  const { projection, version, stream, tenant, reason, decidedAt } = decision;
  await tx.query(
    `insert into ops.passed_over (projection, version, stream, tenant, reason, decided_at, topic, part, off, error)
     select $1, $2, $3, $4, $5, $6, r.* from unnest($7::text[], $8::int[], $9::bigint[], $10::text[]) as r
     on conflict do nothing`,
    [
      ...[projection, version, stream, tenant, reason, decidedAt],
      records.map(({ topic }) => topic),
      records.map(({ partition }) => partition),
      records.map(({ offset }) => offset),
      records.map(({ error }) => error),
    ],
  );
}
