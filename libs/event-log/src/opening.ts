import type { EventCatalog } from './catalog.js';
import { recordOf, type ReadRecord, subjectOf } from './envelope.js';
import { EventLogError, type EventRecord, type MaybeFaulty, type Topic } from './event-log.js';
import { type Keyring, KeyringError } from './keyring.js';
import { holdsSealed, openSealed } from './seal.js';

/** What it takes to read stored records. */
export interface Opening {
  events: EventCatalog;
  keyring: Keyring;
}

/**
 * What readers get of stored records.
 * @throws EventLogError `log.unreadable`, `log.unknown-version`; KeyringError `keyring.kek-wrong`
 */
export async function openRecords(topic: Topic, rows: readonly ReadRecord[], opening: Opening): Promise<EventRecord[]> {
  const keys = await keysOf(rows, opening.keyring);
  return rows.map((row) => openRecord(topic, row, opening.events, keys.get(row.stream)));
}

/** As `openRecords`, but a record that cannot be read comes as a faulty one: it must not hide all others. */
export async function openTolerantly(
  topic: Topic,
  rows: readonly ReadRecord[],
  opening: Opening,
): Promise<MaybeFaulty[]> {
  try {
    return await openRecords(topic, rows, opening);
  } catch (error) {
    const fault = faultIn(error);
    const [row] = rows;
    if (fault === undefined || row === undefined) throw error;
    if (rows.length === 1) return [{ ...recordOf(topic, row, { type: row.type, schemaVersion: 0, data: {} }), fault }];
  }
  const middle = rows.length >> 1;
  const [first, second] = [rows.slice(0, middle), rows.slice(middle)];
  return [...(await openTolerantly(topic, first, opening)), ...(await openTolerantly(topic, second, opening))];
}

const UNREADABLE: ReadonlySet<string> = new Set(['log.unreadable', 'log.unknown-version']);

/** The code, when a record or its key is at fault; trouble on the way to them passes. */
function faultIn(error: unknown): string | undefined {
  if (error instanceof KeyringError) return error.code;
  return error instanceof EventLogError && UNREADABLE.has(error.code) ? error.code : undefined;
}

/** One record under its key; without it sealed fields are `null`. */
export function openRecord(topic: Topic, row: ReadRecord, events: EventCatalog, key?: Uint8Array): EventRecord {
  return recordOf(topic, row, readData(topic, row, events, key));
}

/** Opened, and of the current version. Without its key a sealed field is `null`. */
function readData(topic: Topic, row: ReadRecord, events: EventCatalog, key?: Uint8Array) {
  const { part: partition, off: offset, type } = row;
  const unreadable = (cause: string) => new EventLogError('log.unreadable', { topic, partition, offset, type, cause });
  let read: ReturnType<EventCatalog['read']>;
  try {
    read = events.read(type, openSealed(row.data, row.event_id, key));
  } catch (error) {
    if (error instanceof EventLogError && error.code === 'log.unknown-version')
      throw new EventLogError(error.code, { topic, partition, offset, ...error.details });
    throw unreadable(error instanceof Error ? error.name : 'unknown'); // a message may quote a value
  }
  if (typeof read.data !== 'object' || (read.data as object | null) === null || Array.isArray(read.data))
    throw unreadable('no object');
  return read;
}

/** Keys, by stream, of the rows that hold sealed fields. */
async function keysOf(rows: readonly ReadRecord[], keyring: Keyring): Promise<Map<string, Uint8Array>> {
  const subjects = new Map<string, Set<string>>();
  for (const row of rows.filter(({ data }) => holdsSealed(data)))
    subjects.set(row.tenant, (subjects.get(row.tenant) ?? new Set()).add(subjectOf(row)));
  const keys = new Map<string, Uint8Array>();
  for (const [tenant, names] of subjects)
    for (const [subject, key] of await keyring.subjectKeys(tenant, [...names])) keys.set(`${tenant}/${subject}`, key);
  return keys;
}
