import { guarded } from '#runtime/index.js';
import { copyInto } from './copy-into.js';
import type { Tx } from './database.js';
import type { EventRecord, Sequence } from './event-log.js';
import type { KnownSources, Last } from './known-sources.js';

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
 * @param known what need not be asked for
 */
export async function dropDuplicates<R extends EventRecord>(
  tx: Tx,
  place: readonly unknown[],
  records: readonly R[],
  known?: KnownSources,
): Promise<readonly R[]> {
  if (records[0]?.topic !== 'muster.device' || !guarded('dedupe')) return records;
  const sources = records.map(sourceOf);
  const named = new Set(sources.filter((source) => source !== undefined));
  if (named.size === 0) return records;
  const seen = known?.lastOf(named) ?? (await lastOf(tx, place, [...named]));
  const news = new Map<string, Last>();
  const fresh = records.filter(({ sequence, offset: off, receivedAt }, index) => {
    const source = sources[index];
    if (source === undefined || sequence === null) return true;
    const now = { epoch: sequence.epoch, n: sequence.n, off, receivedAt };
    const last = news.get(source) ?? seen.get(source);
    if (last !== undefined && !isForgotten(source, last, now) && !isAfter(sequence, last)) return false;
    news.set(source, now);
    return true;
  });
  await keep(tx, place, news, known);
  await forget(tx, place, records.at(-1));
  return fresh;
}

/** By the records alone, so that a rebuild drops what was dropped live, whatever its batches. */
const isForgotten = (source: string, last: Last, now: Last): boolean =>
  isPassing(source) &&
  now.off - last.off > FORGET.afterRecords &&
  Date.parse(now.receivedAt) - Date.parse(last.receivedAt) > FORGET.afterMs;

async function lastOf(tx: Tx, place: readonly unknown[], sources: readonly string[]): Promise<Map<string, Last>> {
  const rows = await tx.query<{ source: string; epoch: number; n: number; off: number; received_at: string }>(
    `select source, epoch, n, off, received_at from seen_sequence
     where projection = $1 and version = $2 and topic = $3 and part = $4 and source = any($5)`,
    [...place, sources],
    { instants: 'text' },
  );
  return new Map(
    rows.map(({ source, epoch, n, off, received_at }) => [source, { epoch, n, off, receivedAt: received_at }]),
  );
}

const NAMES = [
  ...(['projection', 'version', 'topic', 'part', 'source'] as const),
  ...(['epoch', 'n', 'off', 'received_at', 'is_passing'] as const),
];
type SeenRow = Record<(typeof NAMES)[number], string | number>;
const COLUMNS: ReadonlyMap<keyof SeenRow, string> = new Map(NAMES.map((name) => [name, name]));

async function keep(
  tx: Tx,
  place: readonly unknown[],
  news: ReadonlyMap<string, Last>,
  known: KnownSources | undefined,
): Promise<void> {
  if (known === undefined) return write(tx, place, news);
  const [before, first] = [new Map<string, Last>(), new Map<string, Last>()];
  for (const [source, last] of news) (known.has(source) ? before : first).set(source, last);
  await write(tx, place, before);
  if (!(await copy(tx, place, first))) await write(tx, place, first);
  known.write(news);
}

function copy(tx: Tx, place: readonly unknown[], first: ReadonlyMap<string, Last>): Promise<boolean> {
  const [projection, version, topic, part] = place as [string, number, string, number];
  const rows = [...first].map(([source, { epoch, n, off, receivedAt }]) => {
    const is_passing = isPassing(source) ? 't' : 'f';
    return { projection, version, topic, part, source, epoch, n, off, received_at: receivedAt, is_passing };
  });
  return copyInto<SeenRow>(tx, 'seen_sequence', COLUMNS, rows);
}

async function write(tx: Tx, place: readonly unknown[], news: ReadonlyMap<string, Last>): Promise<void> {
  if (news.size === 0) return;
  const [sources, last] = [[...news.keys()], [...news.values()]];
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
      last.map(({ receivedAt }) => receivedAt),
      sources.map(isPassing),
    ],
  );
}

async function forget(tx: Tx, place: readonly unknown[], now: EventRecord | undefined): Promise<void> {
  if (now === undefined || now.offset <= FORGET.afterRecords) return;
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
