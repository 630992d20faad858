import { guarded } from '#runtime/index.js';
import type { Tx } from './database.js';
import type { EventRecord, Sequence } from './event-log.js';

/** The last number of a source, and the record that brought it. */
interface Last extends Pick<Sequence, 'epoch' | 'n'> {
  off: number;
  /** Milliseconds. */
  receivedAt: number;
}

/** Sources of devices, which may repeat a fact after years; all others are processes, which end. */
const LASTING = 'device:';
/**
 * How long a process is remembered: it repeats what it wrote last, and before anything else, as soon as it reaches the
 * log. So both must have passed: the time, since others may write fast, and the records, since the log may be away long.
 */
const FORGET = { afterMs: 24 * 3_600_000, afterRecords: 100_000 };

const isAfter = (a: Sequence, b: Last): boolean => a.epoch > b.epoch || (a.epoch === b.epoch && a.n > b.n);

/**
 * Drops facts of `muster.device` that came before: a source numbers its facts (epoch, n), and within a partition its
 * numbers only grow. Kept per partition, because a source may write to several and a rebuild reads them in another order.
 * @param place projection, version, topic, partition
 */
export async function dropDuplicates<R extends EventRecord>(
  tx: Tx,
  place: readonly unknown[],
  records: readonly R[],
): Promise<readonly R[]> {
  if (records[0]?.topic !== 'muster.device' || !guarded('dedupe')) return records;
  const sources = records.map(sourceOf);
  const named = new Set(sources);
  named.delete(undefined);
  if (named.size === 0) return records;
  const seen = await lastOf(tx, place, [...named]);
  const fresh = records.filter(({ sequence, offset: off, receivedAt }, index) => {
    const source = sources[index];
    if (source === undefined || sequence === null) return true;
    const now = { epoch: sequence.epoch, n: sequence.n, off, receivedAt: Date.parse(receivedAt) };
    const last = seen.get(source);
    if (last !== undefined && !isForgotten(source, last, now) && !isAfter(sequence, last)) return false;
    seen.set(source, now);
    return true;
  });
  await keep(tx, place, seen);
  await forget(tx, place, records.at(-1));
  return fresh;
}

/** By the records alone, so that a rebuild drops what was dropped live, whatever its batches. */
const isForgotten = (source: string, last: Last, now: Last): boolean =>
  isPassing(source) && now.off - last.off > FORGET.afterRecords && now.receivedAt - last.receivedAt > FORGET.afterMs;

async function lastOf(
  tx: Tx,
  place: readonly unknown[],
  sources: readonly (string | undefined)[],
): Promise<Map<string, Last>> {
  const rows = await tx.query<{ source: string; epoch: number; n: number; off: number; received_at: Date }>(
    `select source, epoch, n, off, received_at from seen_sequence
     where projection = $1 and version = $2 and topic = $3 and part = $4 and source = any($5)`,
    [...place, sources],
  );
  return new Map(
    rows.map(({ source, epoch, n, off, received_at }) => [
      source,
      { epoch, n, off, receivedAt: received_at.getTime() },
    ]),
  );
}

async function keep(tx: Tx, place: readonly unknown[], seen: ReadonlyMap<string, Last>): Promise<void> {
  const [sources, last] = [[...seen.keys()], [...seen.values()]];
  await tx.query(
    `insert into seen_sequence
     select $1, $2, $3, $4, s.*
     from unnest($5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::timestamptz[], $10::boolean[]) as s
     on conflict (projection, version, topic, part, source) do update
     set epoch = excluded.epoch, n = excluded.n, off = excluded.off, received_at = excluded.received_at`,
    [
      ...place,
      sources,
      last.map(({ epoch }) => epoch),
      last.map(({ n }) => n),
      last.map(({ off }) => off),
      last.map(({ receivedAt }) => new Date(receivedAt)),
      sources.map(isPassing),
    ],
  );
}

async function forget(tx: Tx, place: readonly unknown[], now: EventRecord | undefined): Promise<void> {
  if (now === undefined) return;
  await tx.query(
    `delete from seen_sequence
     where projection = $1 and version = $2 and topic = $3 and part = $4 and is_passing
       and off < $5 and received_at < $6`,
    [...place, now.offset - FORGET.afterRecords, new Date(Date.parse(now.receivedAt) - FORGET.afterMs)],
  );
}

/** A tenant's devices number for themselves: another tenant's source of that name is another source. */
const sourceOf = ({ tenant, sequence }: EventRecord): string | undefined =>
  sequence === null ? undefined : `${tenant}/${sequence.source}`;

const isPassing = (source: string): boolean => !source.slice(source.indexOf('/') + 1).startsWith(LASTING);
