import { type EventDefinition, type EventDefinitions, type JsonSchema, wireType } from './catalog.js';
import { PARTITIONS, type Topic, TOPICS } from './event-log.js';
import { headersOf } from './kafka/header-schema.js';
import { CONTENT_TYPE } from './kafka/kafka-record.js';
import { STRAIGHT, TOPIC_RULES } from './kafka/kafka-topics.js';
import { mapPersonal, SEALED } from './seal.js';

/** What the document says of the product as a whole. */
export interface AsyncApiAbout {
  title: string;
  version: string;
  description: string;
}

/**
 * The topics of the log as an AsyncAPI 3.0 document: every event type in its present version as it lies in Kafka, with its
 * headers and its key. Made of the same definitions that `append` checks, so it cannot say anything else.
 */
export function asyncApi(definitions: readonly EventDefinitions[], about: AsyncApiAbout): object {
  const topics = TOPICS.map((topic) => ({ topic, events: eventsOf(definitions, topic) })).filter(
    ({ events }) => events.length > 0,
  );
  return {
    asyncapi: '3.0.0',
    info: { ...about, license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' } },
    defaultContentType: CONTENT_TYPE,
    servers: { brokers: SERVER },
    channels: Object.fromEntries(topics.map(({ topic, events }) => [nameOf(topic), channel(topic, events)])),
    operations: Object.fromEntries(
      topics.map(({ topic, events }) => [`read-${nameOf(topic)}`, operation(topic, events)]),
    ),
    components: {
      messages: Object.fromEntries(
        topics.flatMap(({ topic, events }) => events.map((event) => [idOf(topic, event), message(topic, event)])),
      ),
      schemas: {
        sealed: SEALED_SCHEMA,
        key: KEY,
        relayedHeaders: headersOf('relayed'),
        straightHeaders: headersOf('straight'),
      },
    },
  };
}

interface NamedEvent {
  type: string;
  definition: EventDefinition;
}

const SERVER = {
  host: '{brokers}',
  protocol: 'kafka',
  description: 'The Kafka of the installation (`KAFKA_BROKERS`).',
  variables: { brokers: { default: '127.0.0.1:9092', description: 'One broker, as `host:port`.' } },
};

const KEY: JsonSchema = {
  type: 'string',
  description: `The stream: tenant, slash, aggregate or device. Its murmur2, modulo ${PARTITIONS}, is the partition; only batches of polls name theirs themselves.`,
  pattern: '^[a-z][a-z0-9-]{1,30}/.{1,200}$',
};

const SEALED_SCHEMA: JsonSchema = {
  type: 'object',
  description:
    'A personal value, encrypted under a key of its subject: base64url of nonce (12 bytes), ciphertext and tag (16 bytes) of AES-256-GCM; associated data are the event id and the JSON pointer of the field. Without the key nobody reads it, ever.',
  properties: { [SEALED]: { type: 'string', pattern: '^[A-Za-z0-9_-]{38,}$' } },
  required: [SEALED],
  additionalProperties: false,
};

/** Stands in examples for what nobody can make up: 12 + 16 bytes and a little ciphertext. */
const SEALED_EXAMPLE = { [SEALED]: 'A'.repeat(48) };

const nameOf = (topic: Topic): string => topic.replace('muster.', '');

const idOf = (topic: Topic, { type, definition }: NamedEvent): string =>
  wireType(topic, type, definition.version).replace('muster.', '');

const eventsOf = (definitions: readonly EventDefinitions[], wanted: Topic): NamedEvent[] =>
  definitions
    .filter(({ topic }) => topic === wanted)
    .flatMap(({ events }) => Object.entries(events).map(([type, definition]) => ({ type, definition })))
    .toSorted((a, b) => (a.type < b.type ? -1 : 1));

const channel = (topic: Topic, events: readonly NamedEvent[]) => ({
  address: topic,
  description:
    topic === STRAIGHT
      ? 'Produced straight to Kafka: its offset there is the offset in the log. Repeats are dropped by readers, per source and sequence.'
      : 'Relayed from Postgres: the header log-offset is the offset in the log. Readers take the next one, drop lower ones and stop at a gap.',
  messages: Object.fromEntries(
    events.map((event) => [idOf(topic, event), { $ref: `#/components/messages/${idOf(topic, event)}` }]),
  ),
  bindings: {
    kafka: { topic, partitions: PARTITIONS, topicConfiguration: TOPIC_RULES, bindingVersion: '0.5.0' },
  },
});

/** Seen from a consumer: nobody but the product writes to these topics. */
const operation = (topic: Topic, events: readonly NamedEvent[]) => ({
  action: 'receive',
  title: `Read ${topic}`,
  channel: { $ref: `#/channels/${nameOf(topic)}` },
  messages: events.map((event) => ({ $ref: `#/channels/${nameOf(topic)}/messages/${idOf(topic, event)}` })),
});

function message(topic: Topic, { type, definition }: NamedEvent): object {
  const { version, schema, samples } = definition;
  const headers = topic === STRAIGHT ? 'straightHeaders' : 'relayedHeaders';
  const wire = wireType(topic, type, version);
  const ofThisType = { type: 'object', properties: { ce_type: { type: 'string', const: wire } } };
  return {
    name: wire,
    title: type,
    contentType: CONTENT_TYPE,
    headers: { allOf: [{ $ref: `#/components/schemas/${headers}` }, ofThisType] },
    correlationId: { location: '$message.header#/ce_correlation' },
    payload: storedSchema(schema),
    bindings: { kafka: { key: { $ref: '#/components/schemas/key' }, bindingVersion: '0.5.0' } },
    examples: samples
      .filter(({ v }) => v === version)
      .map(({ data }) => ({ payload: mapPersonal(data, schema, () => SEALED_EXAMPLE) })),
  };
}

/** The schema of what is stored: a personal value is sealed, or `null` where it may be; everything else is as it was appended. */
export function storedSchema(schema: JsonSchema): JsonSchema {
  return mapPart(schema) as JsonSchema;
}

function mapPart(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(mapPart);
  if (typeof part !== 'object' || part === null) return part;
  const { 'x-personal': isPersonal, ...plain } = part as Record<string, unknown>;
  if (isPersonal !== true)
    return Object.fromEntries(Object.entries(plain).map(([word, value]) => [word, mapPart(value)]));
  const sealed = { $ref: '#/components/schemas/sealed' };
  const choices = mayBeNull(plain) ? [sealed, { type: 'null' }] : [sealed];
  return { description: 'Personal, hence sealed.', anyOf: choices, 'x-unsealed': plain };
}

const mayBeNull = ({ type }: JsonSchema): boolean => type === 'null' || (Array.isArray(type) && type.includes('null'));
