import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip as unzip, gzip as zip } from 'node:zlib';
import type { RawRecord } from './envelope.js';
import type { Topic } from './event-log.js';

/*
 * An archive file, version 1: a range of one partition of the log, whole, in the order of its offsets.
 *
 * Gzip members one behind the other (RFC 1952), so `zcat` prints it: UTF-8, a JSON text a line, each ended by LF, no line in
 * two members. The first member is the header, one line:
 *
 *     {"format":"muster.archive","version":1,"topic":"muster.device","partition":3,"first":0,"columns":["part",…]}
 *
 * Each of the others, a block, holds up to 500 records, a line each: a list with a value for each of `columns`. Numbers are
 * JSON numbers, times RFC 3339 in UTC with milliseconds, and what is absent is null. `data` is the text of the stored JSON,
 * byte for byte, as a JSON string. `first` is the offset of the first record; each of the others has the next.
 *
 * `log.archive` has the length and sha-256 of every member and of the whole, so no byte is read unchecked.
 */

export const COLUMNS = [
  'part',
  'off',
  'tenant',
  'stream',
  'ver',
  'type',
  'event_id',
  'occurred_at',
  'received_at',
  'actor',
  'command_id',
  'correlation_id',
  'causation_id',
  'traceparent',
  'seq_source',
  'seq_epoch',
  'seq_n',
  'data',
] as const satisfies readonly (keyof RawRecord)[];

/** Of a block: what is read to find one record. A record is at most 256 KiB, and its text as a string can be some times more. */
export const BLOCK = { records: 500, textBytes: 262_144 } as const;
const LONGEST_TEXT = 8 * 1_048_576;
/** Level 6 takes twice the time and leaves a tenth less (DECISIONS). */
const LEVEL = 1;

/** One gzip member. */
export interface Member {
  bytes: Buffer;
  sha256: string;
}

/** What is asked of a block; all, when absent. */
interface Wanted {
  limit?: number;
  tenant?: string;
}

export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export const headerOf = (place: { topic: Topic; partition: number; first: number }): string =>
  JSON.stringify({ format: 'muster.archive', version: 1, ...place, columns: COLUMNS });

export const lineOf = (row: RawRecord): string =>
  JSON.stringify(COLUMNS.map((column) => (column === 'data' ? row.raw : row[column]))); // a Date is written as `toISOString`

/** Packs whole lines. */
export async function packLines(lines: readonly string[]): Promise<Member> {
  const bytes = await promisify<string, object, Buffer>(zip)(lines.map((line) => `${line}\n`).join(''), {
    level: LEVEL,
  });
  return { bytes, sha256: sha256Of(bytes) };
}

/** The lines of a member whose digest is right. */
export async function unpackLines(bytes: Uint8Array): Promise<string[]> {
  const text = await promisify<Uint8Array, object, Buffer>(unzip)(bytes, { maxOutputLength: LONGEST_TEXT });
  return text.toString('utf8').split('\n').slice(0, -1);
}

/** The first `limit` records of these lines; with a tenant, its own alone. No line is parsed that is not answered. */
export function recordsIn(lines: readonly string[], { limit = Infinity, tenant }: Wanted = {}): RawRecord[] {
  const found: RawRecord[] = [];
  for (const line of lines) {
    if (found.length >= limit) break;
    if (tenant === undefined || isOf(tenant, line)) found.push(recordOf(JSON.parse(line) as unknown[]));
  }
  return found;
}

/** Whose it is, by its text: two numbers stand before the tenant, which is a slug, so nothing of it is escaped. */
function isOf(tenant: string, line: string): boolean {
  const second = line.indexOf(',') + 1;
  return line.startsWith(`"${tenant}",`, line.indexOf(',', second) + 1);
}

/** One literal with all columns: by spreads or by a loop it takes ten times as long, and a rebuild does it for every record. */
function recordOf(values: readonly unknown[]): RawRecord {
  const [part, off, tenant, stream, ver, type, event_id, occurred, received, actor, command_id, ...rest] = values;
  const [correlation_id, causation_id, traceparent, seq_source, seq_epoch, seq_n, raw] = rest;
  return {
    part,
    off,
    tenant,
    stream,
    ver,
    type,
    event_id,
    occurred_at: new Date(occurred as string),
    received_at: new Date(received as string),
    actor,
    command_id,
    correlation_id,
    causation_id,
    traceparent,
    seq_source,
    seq_epoch,
    seq_n,
    data: JSON.parse(raw as string) as object,
    raw,
  } as RawRecord;
}
