import { DomainError } from '#runtime/index.js';
import type { Tx } from './database.js';
import type { EventRecord, MaybeFaulty, Topic } from './event-log.js';
import { ERASURE, type Projection } from './projection.js';

export type ProjectionErrorCode =
  | 'projection.unknown'
  | 'projection.not-parked'
  | 'projection.poison'
  | 'projection.rebuilding'
  | 'projection.swap-blocked';
/** A refused operation on a projection. */
export class ProjectionError extends DomainError<ProjectionErrorCode> {}

/** A record that is not applied: it failed, or its stream waits behind one that did (`error` is null). */
export interface Parked {
  record: EventRecord;
  error: string | null;
}

/** A stream that waits for a repaired projection. */
export interface ParkedStream {
  topic: Topic;
  partition: number;
  stream: string;
  /** The record that failed first, and how: codes and names, no message, since that may quote a value. */
  fromOffset: number;
  error: string;
  events: number;
}

const SAVEPOINT = 'before_apply';

/**
 * Applies records of one partition, save those of parked streams. One that could not be read parks its stream.
 * @returns what is to be parked
 */
export async function applyOrPark(
  projection: Projection,
  tx: Tx,
  records: readonly MaybeFaulty[],
  parkedBefore: ReadonlySet<string>,
): Promise<readonly Parked[]> {
  const streams = new Set(parkedBefore);
  const parked: Parked[] = [];
  const passing: EventRecord[] = [];
  for (const record of records) {
    if (isParkedStream(streams, record)) parked.push({ record, error: null });
    else if (record.fault === undefined) passing.push(record);
    else {
      parked.push({ record, error: record.fault });
      streams.add(record.stream);
    }
  }
  parked.push(...(await applyPassing(projection, tx, passing)));
  return erase(projection, tx, parked);
}

/** An erasure does not wait behind its stream. It is parked as well: a replay must end without what it erased. */
async function erase(projection: Projection, tx: Tx, parked: readonly Parked[]): Promise<readonly Parked[]> {
  const after: Parked[] = [];
  for (const { record, error } of parked) {
    const isWaiting = error === null && record.type === ERASURE;
    after.push({ record, error: isWaiting ? ((await failureOf(projection, tx, [record])) ?? null) : error });
  }
  return after;
}

/**
 * Applies all records, save those of streams with a poison event: the whole batch first, and when it fails its halves,
 * down to the one record at fault. Later records of its stream are parked with it, everything else goes on.
 */
async function applyPassing(
  projection: Projection,
  tx: Tx,
  records: readonly EventRecord[],
): Promise<readonly Parked[]> {
  const [first] = records;
  if (first === undefined) return [];
  const error = await failureOf(projection, tx, records);
  if (error === undefined) return [];
  if (records.length === 1) return [{ record: first, error }];
  const middle = records.length >> 1;
  const parked = await applyPassing(projection, tx, records.slice(0, middle));
  const streams = new Set(parked.map(({ record }) => record.stream));
  const rest = records.slice(middle);
  const waiting = rest.filter((record) => isParkedStream(streams, record));
  const passing = rest.filter((record) => !isParkedStream(streams, record));
  const failed = await applyPassing(projection, tx, passing);
  return [...parked, ...waiting.map((record) => ({ record, error: null })), ...failed];
}

const isParkedStream = (streams: ReadonlySet<string>, { stream }: EventRecord): boolean => streams.has(stream);

/** Streams parked in one partition. @param place projection, version, topic, partition */
export async function parkedStreams(tx: Tx, place: readonly unknown[]): Promise<ReadonlySet<string>> {
  const rows = await tx.query<{ stream: string }>(
    `select distinct stream from parked where projection = $1 and version = $2 and topic = $3 and part = $4`,
    place,
  );
  return new Set(rows.map(({ stream }) => stream));
}

export async function park(tx: Tx, place: readonly unknown[], parked: readonly Parked[]): Promise<void> {
  if (parked.length === 0) return;
  await tx.query(
    `insert into parked select $1, $2, $3, $4, p.* from unnest($5::bigint[], $6::text[], $7::text[]) as p`,
    [
      ...place,
      parked.map(({ record }) => record.offset),
      parked.map(({ record }) => record.stream),
      parked.map(({ error }) => error),
    ],
  );
}

/** Parked streams of a projection. `tx` is in the build's schema. */
export function listParked(tx: Tx, { name, version }: Projection): Promise<ParkedStream[]> {
  return tx.query<ParkedStream>(
    `select topic, part as partition, stream, min(off) as "fromOffset", count(*)::int as events,
       (array_agg(error order by off))[1] as error
     from parked where projection = $1 and version = $2 group by topic, part, stream order by topic, part, stream`,
    [name, version],
  );
}

/** Applies one parked record. @returns how it still fails */
export async function failureOfParked(
  projection: Projection,
  tx: Tx,
  record: MaybeFaulty,
): Promise<string | undefined> {
  return record.fault ?? failureOf(projection, tx, [record]);
}

async function failureOf(projection: Projection, tx: Tx, records: readonly EventRecord[]): Promise<string | undefined> {
  await tx.query(`savepoint ${SAVEPOINT}`);
  try {
    await projection.apply(records, tx);
    await tx.query(`release savepoint ${SAVEPOINT}`);
    return undefined;
  } catch (error) {
    if (isPassing(error)) throw error;
    await tx.query(`rollback to savepoint ${SAVEPOINT}`);
    return told(error);
  }
}

/** Codes and names only: a message may quote a value, and would outlive its erasure. */
function told(error: unknown): string {
  if (error instanceof DomainError) return String(error.code);
  const {
    code = '',
    table,
    constraint,
    name,
  } = error as { [part in 'code' | 'table' | 'constraint' | 'name']?: string };
  if (!/^[0-9A-Z]{5}$/.test(code)) return name ?? 'unknown';
  const parts = [`sqlstate ${code}`];
  if (table !== undefined) parts.push(`table ${table}`);
  if (constraint !== undefined) parts.push(`constraint ${constraint}`);
  return parts.join(', ');
}

/**
 * Trouble of the database, not of the event: connection (08), deadlock or serialization (40), resources (53), locks (55),
 * shutdown or cancel (57), system (58), or a connection that is gone. The batch is tried again as it is.
 */
export function isPassing(error: unknown): boolean {
  const { code = '' } = error as { code?: string };
  return /^(08|40|53|55|57|58)[0-9A-Z]{3}$/.test(code) || code === 'log.unavailable';
}
