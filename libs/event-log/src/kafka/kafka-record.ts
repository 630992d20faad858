import { isTenant, MAX_EVENT_BYTES, type StoredRecord, subjectOf } from '../envelope.js';
import type { Topic } from '../event-log.js';
import type { FetchedRecord, KafkaRecord } from './kafka-client.js';

/**
 * One stored record in Kafka: CloudEvents 1.0, binary mode of its Kafka binding. Key = stream, value = the stored JSON
 * byte for byte, sealed fields and all. The names of the headers are frozen, as those of the columns are.
 */
export const HEADER = {
  specversion: 'ce_specversion',
  id: 'ce_id',
  type: 'ce_type',
  source: 'ce_source',
  subject: 'ce_subject',
  time: 'ce_time',
  tenant: 'ce_tenant',
  actor: 'ce_actor',
  command: 'ce_command',
  correlation: 'ce_correlation',
  causation: 'ce_causation',
  traceparent: 'ce_traceparent',
  received: 'ce_received',
  sequenceSource: 'ce_sequencesource',
  sequenceEpoch: 'ce_sequenceepoch',
  sequence: 'ce_sequence',
  contentType: 'content-type',
  /** Where the record is in the log; only on relayed topics, where Kafka's own offset means nothing. */
  logOffset: 'log-offset',
  /** Version of the stream, from 1; absent on facts. */
  streamVersion: 'stream-version',
} as const;

export const CONTENT_TYPE = 'application/json';

/** A record of the log with its data as the text that is stored. */
export type StoredText = Omit<StoredRecord, 'data'> & { json: string };

/** @param logOffset  absent for what is produced straight: there Kafka's offset is the log's */
export function encodeRecord(topic: Topic, stored: Omit<StoredText, 'part' | 'off'>, logOffset?: number): KafkaRecord {
  const optional = {
    [HEADER.causation]: stored.causation_id,
    [HEADER.traceparent]: stored.traceparent,
    [HEADER.sequenceSource]: stored.seq_source,
    [HEADER.sequenceEpoch]: stored.seq_epoch,
    [HEADER.sequence]: stored.seq_n,
    [HEADER.streamVersion]: stored.ver === 0 ? null : stored.ver,
    [HEADER.logOffset]: logOffset ?? null,
  };
  return {
    key: stored.stream,
    value: stored.json,
    headers: {
      [HEADER.specversion]: '1.0',
      [HEADER.id]: stored.event_id,
      [HEADER.type]: stored.type,
      [HEADER.source]: sourceOf(topic, stored.tenant),
      [HEADER.subject]: subjectOf(stored),
      [HEADER.time]: stored.occurred_at.toISOString(),
      [HEADER.tenant]: stored.tenant,
      [HEADER.actor]: stored.actor,
      [HEADER.command]: stored.command_id,
      [HEADER.correlation]: stored.correlation_id,
      [HEADER.received]: stored.received_at.toISOString(),
      [HEADER.contentType]: CONTENT_TYPE,
      ...Object.fromEntries(
        Object.entries(optional).flatMap(([name, value]) => (value === null ? [] : [[name, String(value)]])),
      ),
    },
  };
}

/** CloudEvents: source and id together name one event in the world. */
const sourceOf = (topic: Topic, tenant: string): string => `urn:muster:${tenant}:${topic.replace('muster.', '')}`;

export type RecordFaultCode =
  | 'record.too-large'
  | 'record.not-json'
  | 'record.no-tenant'
  | 'record.foreign-key'
  | 'record.foreign-type'
  | 'record.header'
  | 'record.control'
  | 'record.absent';

/** Why a record is none of ours, or is damaged. */
export interface RecordFault {
  code: RecordFaultCode;
  message: string;
}

/** What a record holds, or what is wrong with it; its stream when at least that is certain. */
export type Decoded = { stored: StoredRecord } | { fault: RecordFault; stream?: string };

class Unfit extends Error {
  constructor(
    readonly code: RecordFaultCode,
    message: string,
    readonly stream?: string,
  ) {
    super(message);
  }
}

/**
 * The log offset of a relayed record; `undefined` when it is no record of the log: it has none, or one beyond Kafka's own
 * offset, which cannot be, as every record before it takes an offset in Kafka too.
 */
export function logOffsetOf({ headers, offset: kafkaOffset }: FetchedRecord): number | undefined {
  const digits = optional(headers, HEADER.logOffset) ?? '';
  const offset = Number(digits);
  return /^\d{1,16}$/.test(digits) && offset <= kafkaOffset ? offset : undefined;
}

export const eventIdOf = ({ headers }: FetchedRecord): string => optional(headers, HEADER.id) ?? '';

/** Reads a record without trust: anyone who can reach the broker may have written it. */
export function decodeRecord(topic: Topic, place: { part: number; off: number }, record: FetchedRecord): Decoded {
  try {
    return { stored: decode(topic, place, record) };
  } catch (error) {
    if (!(error instanceof Unfit)) throw error;
    return { fault: { code: error.code, message: error.message }, stream: error.stream };
  }
}

function decode(topic: Topic, { part, off }: { part: number; off: number }, record: FetchedRecord): StoredRecord {
  if (record.isControl) throw new Unfit('record.control', 'written by Kafka for itself');
  const { headers } = record;
  const tenant = optional(headers, HEADER.tenant);
  if (tenant === null) throw new Unfit('record.no-tenant', `no header ${HEADER.tenant}`);
  const stream = record.key?.toString('utf8') ?? '';
  if (!isTenant(tenant) || stream !== `${tenant}/${text(headers, HEADER.subject)}`)
    throw new Unfit('record.foreign-key', 'the key is not that of its tenant and subject');
  const type = text(headers, HEADER.type);
  if (!type.startsWith(`${topic}.`) || !/\.v\d{1,4}$/.test(type))
    throw new Unfit('record.foreign-type', `${HEADER.type} is none of ${topic}`, stream);
  return {
    part, // by name: a spread before so many fields costs ten times what reading all headers does
    off,
    tenant,
    stream,
    type,
    ver: whole(headers, HEADER.streamVersion) ?? 0,
    event_id: uuid(headers, HEADER.id),
    occurred_at: moment(headers, HEADER.time),
    received_at: moment(headers, HEADER.received),
    actor: text(headers, HEADER.actor),
    command_id: text(headers, HEADER.command),
    correlation_id: text(headers, HEADER.correlation),
    causation_id: optional(headers, HEADER.causation),
    traceparent: optional(headers, HEADER.traceparent),
    seq_source: optional(headers, HEADER.sequenceSource),
    seq_epoch: whole(headers, HEADER.sequenceEpoch),
    seq_n: whole(headers, HEADER.sequence),
    data: dataOf(record, stream),
  };
}

function dataOf({ value }: FetchedRecord, stream: string): object {
  if (value !== null && value.length > MAX_EVENT_BYTES)
    throw new Unfit('record.too-large', `${value.length} bytes, at most ${MAX_EVENT_BYTES}`, stream);
  try {
    const data = JSON.parse(value?.toString('utf8') ?? '') as unknown;
    if (typeof data === 'object' && data !== null && !Array.isArray(data)) return data;
  } catch {
    // said below: the parser's message would quote the data
  }
  throw new Unfit('record.not-json', 'the value is not a JSON object', stream);
}

type Headers = FetchedRecord['headers'];

/** The last of a name that comes twice. */
function bytesOf(headers: Headers, name: string): Buffer | undefined {
  const found = headers[name];
  return found === undefined || Buffer.isBuffer(found) ? found : found.at(-1);
}

const optional = (headers: Headers, name: string): string | null => bytesOf(headers, name)?.toString('utf8') ?? null;

function text(headers: Headers, name: string): string {
  const value = optional(headers, name);
  if (value === null || value.length === 0) throw new Unfit('record.header', `no header ${name}`);
  return value;
}

function uuid(headers: Headers, name: string): string {
  const value = text(headers, name);
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value))
    throw new Unfit('record.header', `${name} is no UUID`);
  return value;
}

function moment(headers: Headers, name: string): Date {
  const at = new Date(text(headers, name));
  if (Number.isNaN(at.getTime())) throw new Unfit('record.header', `${name} is no instant`);
  return at;
}

function whole(headers: Headers, name: string): number | null {
  const value = optional(headers, name);
  if (value === null) return null;
  const number = Number(value);
  if (!/^\d{1,16}$/.test(value) || !Number.isSafeInteger(number))
    throw new Unfit('record.header', `${name} is no whole number`);
  return number;
}
