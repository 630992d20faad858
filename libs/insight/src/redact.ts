import type { EventDefinitions, EventRecord } from '#event-log/index.js';

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * The data of a record for a reader who may not see personal fields: they are `null`, as after an erasure. Of a type
 * that no schema here describes nothing is shown, because nobody can say what in it is personal.
 */
export function withoutPersonal(record: EventRecord, definitions: readonly EventDefinitions[]): object {
  // Several rooms may write to one topic, each with types of its own.
  const room = definitions.find(({ topic, events }) => topic === record.topic && Object.hasOwn(events, record.type));
  const definition = room?.events[record.type];
  return definition === undefined ? {} : (nulled(record.data, definition.schema) as object);
}

/** Follows `properties`, `additionalProperties` and `items`: where sealing looks for marks, so does this. */
function nulled(value: unknown, schema: unknown): unknown {
  if (!isObject(schema)) return value;
  if (schema['x-personal'] === true) return null;
  if (Array.isArray(value)) return value.map((item) => nulled(item, schema.items));
  if (!isObject(value)) return value;
  const known = isObject(schema.properties) ? schema.properties : {};
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      nulled(item, Object.hasOwn(known, name) ? known[name] : schema.additionalProperties),
    ]),
  );
}
