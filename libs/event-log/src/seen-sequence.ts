import type { Tx } from './database.js';
import type { EventRecord, Sequence } from './event-log.js';

type Last = Pick<Sequence, 'epoch' | 'n'>;

const isAfter = (a: Last, b: Last): boolean => a.epoch > b.epoch || (a.epoch === b.epoch && a.n > b.n);

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
  if (records[0]?.topic !== 'muster.device') return records;
  const sources = [...new Set(records.flatMap((record) => sourceOf(record) ?? []))];
  if (sources.length === 0) return records;
  const rows = await tx.query<Last & { source: string }>(
    `select source, epoch, n from seen_sequence
     where projection = $1 and version = $2 and topic = $3 and part = $4 and source = any($5)`,
    [...place, sources],
  );
  const seen = new Map<string, Last>(rows.map(({ source, epoch, n }) => [source, { epoch, n }]));
  const fresh = records.filter((record) => {
    const source = sourceOf(record);
    if (source === undefined || record.sequence === null) return true;
    const last = seen.get(source);
    if (last !== undefined && !isAfter(record.sequence, last)) return false;
    seen.set(source, record.sequence);
    return true;
  });
  const last = [...seen];
  await tx.query(
    `insert into seen_sequence
     select $1, $2, $3, $4, s.* from unnest($5::text[], $6::bigint[], $7::bigint[]) as s
     on conflict (projection, version, topic, part, source) do update set epoch = excluded.epoch, n = excluded.n`,
    [...place, last.map(([source]) => source), last.map(([, { epoch }]) => epoch), last.map(([, { n }]) => n)],
  );
  return fresh;
}

/** A tenant's devices number for themselves: another tenant's source of that name is another source. */
const sourceOf = ({ tenant, sequence }: EventRecord): string | undefined =>
  sequence === null ? undefined : `${tenant}/${sequence.source}`;
