import {
  type EventContext,
  EventLogError,
  type EventRecord,
  type Fact,
  type Sequence,
  type Topic,
} from './event-log.js';

/** One stored record, as the log's table holds it; frozen. `data` is sealed and of the version that `type` names. */
export interface StoredRecord {
  part: number;
  off: number;
  tenant: string;
  stream: string;
  ver: number;
  type: string;
  event_id: string;
  occurred_at: Date;
  received_at: Date;
  actor: string;
  command_id: string;
  correlation_id: string;
  causation_id: string | null;
  traceparent: string | null;
  seq_source: string | null;
  seq_epoch: number | null;
  seq_n: number | null;
  data: object;
}

/** As it is read to be handed out: its instants may be text, as `Date` writes them. */
export type ReadRecord = Omit<StoredRecord, 'occurred_at' | 'received_at'> &
  Record<'occurred_at' | 'received_at', Date | string>;

/** A record with its data's text, byte for byte. */
export type RawRecord = StoredRecord & { raw: string };

export const STORED_COLUMNS = `part, off, tenant, stream, ver, type, event_id, occurred_at, received_at, actor, command_id,
  correlation_id, causation_id, traceparent, seq_source, seq_epoch, seq_n, data`;

/** Bytes of an event's JSON data, sealed. A larger thing belongs into a content, named by its digest. */
export const MAX_EVENT_BYTES = 256 * 1024;

const TENANT = /^[a-z][a-z0-9-]{1,30}$/;
const TEXT_LIMIT = 200;
/** Also what Postgres cannot store as text: NUL and lone surrogates. */
const UNFIT = /[\p{Cc}\p{Cs}]/u;

export const isTenant = (tenant: string): boolean => TENANT.test(tenant);

/** Stream and record key. @throws EventLogError `log.schema-violation` */
export function streamOf(tenant: string, subject: string): string {
  if (!TENANT.test(tenant)) throw unfit('/tenant', 'a slug of 2 to 31 characters');
  requireText('/subject', subject);
  return `${tenant}/${subject}`;
}

/** Refuses what the envelope cannot carry, naming the field. */
export function checkContext(context: EventContext): void {
  const { actor, commandId, correlationId, causationId, traceparent } = context;
  requireText('/actor', actor);
  requireText('/commandId', commandId);
  for (const [name, value] of Object.entries({ correlationId, causationId, traceparent }))
    if (value !== undefined) requireText(`/${name}`, value);
}

/** RFC 3339 to the one form that is stored; a device may write others. */
export function checkOccurredAt({ occurredAt }: Fact): number | undefined {
  if (occurredAt === undefined) return undefined;
  // There is no year 0, in Postgres either.
  const ms = /^(?!0000)\d{4}-\d\d-\d\dT/.test(occurredAt) ? Date.parse(occurredAt) : Number.NaN;
  if (Number.isNaN(ms)) throw unfit('/occurredAt', 'not an RFC 3339 instant');
  return ms;
}

export function checkSequence({ sequence }: Fact): Sequence | undefined {
  if (sequence === undefined) return undefined;
  requireText('/sequence/source', sequence.source);
  for (const name of ['epoch', 'n'] as const)
    if (!Number.isSafeInteger(sequence[name]) || sequence[name] < 0) throw unfit(`/sequence/${name}`, 'a whole number');
  return sequence;
}

/** JSON of the data, which is what is stored. @throws EventLogError `log.event-too-large` */
export function encodeData(data: object, type: string): string {
  const json = JSON.stringify(data);
  const bytes = Buffer.byteLength(json);
  if (bytes > MAX_EVENT_BYTES) throw new EventLogError('log.event-too-large', { type, bytes, limit: MAX_EVENT_BYTES });
  return json;
}

/** What readers get of a stored record and its opened data. In one piece: a spread of two halves costs as much as all else. */
export function recordOf(
  topic: Topic,
  row: ReadRecord,
  { type, schemaVersion, data }: Pick<EventRecord, 'type' | 'schemaVersion' | 'data'>,
): EventRecord {
  return {
    topic,
    partition: row.part,
    offset: row.off,
    stream: row.stream,
    version: row.ver,
    id: row.event_id,
    type,
    schemaVersion,
    data,
    tenant: row.tenant,
    subject: subjectOf(row),
    actor: row.actor,
    commandId: row.command_id,
    correlationId: row.correlation_id,
    causationId: row.causation_id,
    traceparent: row.traceparent,
    occurredAt: textOf(row.occurred_at),
    receivedAt: textOf(row.received_at),
    sequence: sequenceOf(row),
  };
}

const textOf = (instant: Date | string): string => (typeof instant === 'string' ? instant : instant.toISOString());

export const subjectOf = ({ stream, tenant }: Pick<StoredRecord, 'stream' | 'tenant'>): string =>
  stream.slice(tenant.length + 1);

function sequenceOf({ seq_source, seq_epoch, seq_n }: ReadRecord): Sequence | null {
  if (seq_source === null || seq_epoch === null || seq_n === null) return null;
  return { source: seq_source, epoch: seq_epoch, n: seq_n };
}

function requireText(pointer: string, value: string): void {
  if (value.length === 0 || value.length > TEXT_LIMIT) throw unfit(pointer, `1 to ${TEXT_LIMIT} characters`);
  if (UNFIT.test(value)) throw unfit(pointer, 'no control characters');
}

const unfit = (pointer: string, message: string) =>
  new EventLogError('log.schema-violation', { pointer }, `envelope: ${pointer} ${message}`, [{ pointer, message }]);
