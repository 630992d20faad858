import type { JsonSchema } from '../catalog.js';
import { CONTENT_TYPE, HEADER } from './kafka-record.js';

const text = (description: string): JsonSchema => ({ type: 'string', minLength: 1, maxLength: 200, description });
const matching = (pattern: string, description: string): JsonSchema => ({ type: 'string', pattern, description });
const only = (value: string): JsonSchema => ({ type: 'string', const: value });
const instant = (description: string): JsonSchema => ({ type: 'string', format: 'date-time', description });
const whole = (description: string): JsonSchema => matching('^[0-9]{1,16}$', description);

/** By the header's name here, so that the compiler misses what is left out. */
const MEANINGS: Readonly<Record<keyof typeof HEADER, JsonSchema>> = {
  specversion: only('1.0'),
  id: { type: 'string', format: 'uuid', description: 'The event. Repeats of a record have the same.' },
  type: matching('^muster[.][a-z]+[.][a-z0-9-]+[.]v[0-9]{1,4}$', 'Topic, event in kebab case, schema version.'),
  source: matching(
    '^urn:muster:[a-z][a-z0-9-]{1,30}:[a-z]+$',
    'Tenant and topic; names the event together with its id.',
  ),
  subject: text('The aggregate or device: the part of the key behind the slash.'),
  time: instant('When it happened, by the clock of who saw it.'),
  tenant: matching('^[a-z][a-z0-9-]{1,30}$', 'The part of the key before the slash.'),
  actor: text('Who did it: person:<id>, token:<id>, device:<id> or system:<duty>.'),
  command: text('The command that it follows from.'),
  correlation: text('What it belongs to.'),
  causation: text('What it was caused by.'),
  traceparent: text('W3C Trace Context.'),
  received: instant('When it came here, by the clock of whoever produced the record.'),
  sequenceSource: text('Who numbers: readers drop what is not above the last epoch and number of the source.'),
  sequenceEpoch: whole('Grows when the source has lost its numbers.'),
  sequence: whole('Number within the epoch.'),
  contentType: only(CONTENT_TYPE),
  logOffset: whole('Offset in the log; the offset in Kafka means nothing.'),
  streamVersion: whole('Version of the stream, from 1; absent on facts.'),
};

const REQUIRED = [
  'specversion',
  'id',
  'type',
  'source',
  'subject',
  'time',
  'tenant',
  'actor',
  'command',
  'correlation',
  'received',
  'contentType',
] as const satisfies (keyof typeof HEADER)[];

/** Postgres stamps these, and its commits are in the order of the log; producers of straight facts have clocks of their own. */
const RELAYED: Pick<typeof MEANINGS, 'received'> = {
  received: instant('When it came here; never falls along a partition.'),
};

/** Headers of a record as JSON Schema. All are text; the offset in the log is told on relayed topics alone. */
export function headersOf(topics: 'relayed' | 'straight'): JsonSchema {
  const meanings = topics === 'relayed' ? { ...MEANINGS, ...RELAYED } : MEANINGS;
  const names = Object.keys(MEANINGS) as (keyof typeof HEADER)[];
  const there = names.filter((name) => topics === 'relayed' || name !== 'logOffset');
  const required = [...REQUIRED, ...(topics === 'relayed' ? (['logOffset'] as const) : [])];
  return {
    type: 'object',
    description: 'CloudEvents 1.0, binary mode of the Kafka binding.',
    properties: Object.fromEntries(there.map((name) => [HEADER[name], meanings[name]])),
    required: required.map((name) => HEADER[name]),
  };
}
