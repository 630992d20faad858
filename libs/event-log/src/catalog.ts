import { Ajv, type ValidateFunction } from 'ajv';
import { EventLogError, type EventShape, type Topic } from './event-log.js';
import { holdsSealed, marksPersonal, SEALED } from './seal.js';

export type JsonSchema = Readonly<Record<string, unknown>>;
export type EventData = Readonly<Record<string, unknown>>;

/** All there is to know of one event type. */
export interface EventDefinition {
  /** Current schema version, from 1. Fields may be added; a changed meaning is a new event. */
  version: number;
  /** JSON Schema of the current version. A personal field is marked `"x-personal": true` and sealed per subject. */
  schema: JsonSchema;
  /** From each earlier version to the next: pure, and content with `null` in personal fields. */
  upcast?: Readonly<Record<number, (data: EventData) => EventData>>;
  /** One golden sample of every version, kept for ever. */
  samples: readonly { v: number; data: object }[];
}

export interface EventDefinitions {
  topic: Topic;
  events: Readonly<Record<string, EventDefinition>>;
}

/** A room's events of one topic, complete by type: `defineEvents<CampaignEvent>('muster.campaign', { … })`. */
export function defineEvents<E extends EventShape = EventShape>(
  topic: Topic,
  events: { readonly [T in E['type']]: EventDefinition },
): EventDefinitions {
  return { topic, events };
}

/** `muster.campaign.campaign-started.v1`: the CloudEvents type. */
export function wireType(topic: Topic, type: string, version = 1): string {
  return `${topic}.${type.replaceAll(/(?<=[a-z0-9])(?=[A-Z])/g, '-').toLowerCase()}.v${version}`;
}

interface Entry {
  topic: Topic;
  type: string;
  /** Of the current version. */
  wire: string;
  definition: EventDefinition;
  isPersonal: boolean;
  /** Compiled at first use: a process writes few of all the types. */
  validate?: ValidateFunction;
}

/** The types that a process can write and read. Append validates; readers get the current version. */
export class EventCatalog {
  private readonly byType = new Map<string, Entry>();
  private readonly byWire = new Map<string, { entry: Entry; version: number }>();
  /** Wire names without their version. */
  private readonly names = new Map<string, Entry>();
  private readonly ajv = new Ajv({
    allErrors: true,
    strict: true,
    allowUnionTypes: true,
    formats: FORMATS,
  }).addVocabulary(['x-personal']);

  constructor(readonly definitions: readonly EventDefinitions[]) {
    for (const { topic, events } of definitions)
      for (const [type, definition] of Object.entries(events)) this.add(topic, type, definition);
  }

  /** @throws EventLogError `log.unknown-type`, `log.schema-violation` with pointers into the data */
  check(topic: Topic, event: EventShape): { wire: string; schema: JsonSchema; isPersonal: boolean } {
    const entry = this.byType.get(`${topic}/${event.type}`);
    if (entry === undefined) throw new EventLogError('log.unknown-type', { topic, type: event.type });
    entry.validate ??= this.ajv.compile(entry.definition.schema);
    if (!entry.validate(event.data)) {
      const fields = (entry.validate.errors ?? []).map(({ instancePath, message = 'refused', params }) => ({
        // A field that is not of the schema is named itself, not the object that it stands in.
        pointer: instancePath + unknownField(params),
        message,
      }));
      throw new EventLogError('log.schema-violation', { topic, type: event.type }, 'data against its schema', fields);
    }
    if (holdsSealed(event.data)) {
      const fields = [{ pointer: '', message: `${SEALED} is not a field name` }];
      throw new EventLogError('log.schema-violation', { topic, type: event.type }, 'data against its schema', fields);
    }
    const { schema } = entry.definition;
    return { wire: entry.wire, schema, isPersonal: entry.isPersonal };
  }

  /**
   * The current version of stored data. A type of a newer program keeps its wire name: readers pass it by.
   * @throws EventLogError `log.unknown-version` of a known type, whose meaning nobody here can tell
   */
  read(wire: string, stored: object): { type: string; schemaVersion: number; data: object } {
    const known = this.byWire.get(wire);
    if (known === undefined) {
      const entry = this.names.get(withoutVersion(wire));
      if (entry !== undefined)
        throw new EventLogError('log.unknown-version', { type: wire, newest: entry.definition.version });
      return { type: wire, schemaVersion: Number(/\.v(\d+)$/.exec(wire)?.[1] ?? 0), data: stored };
    }
    const { type, definition } = known.entry;
    let data = stored as EventData;
    for (let v = known.version; v < definition.version; v += 1) data = definition.upcast?.[v]?.(data) ?? data;
    return { type, schemaVersion: definition.version, data };
  }

  private add(topic: Topic, type: string, definition: EventDefinition): void {
    const key = `${topic}/${type}`;
    if (this.byType.has(key)) throw new Error(`${key} is defined twice`);
    refuseHiddenMarks(definition.schema, key);
    const wire = wireType(topic, type, definition.version);
    const entry = { topic, type, wire, definition, isPersonal: marksPersonal(definition.schema) };
    this.byType.set(key, entry);
    this.names.set(withoutVersion(wire), entry);
    for (let v = 1; v <= definition.version; v += 1) this.byWire.set(wireType(topic, type, v), { entry, version: v });
  }
}

/** What follows the pointer of the object, RFC 6901 §3 escapes included; nothing for every other fault. */
function unknownField({ additionalProperty: name }: Record<string, unknown>): string {
  return typeof name === 'string' ? `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}` : '';
}

const withoutVersion = (wire: string): string => wire.replace(/\.v\d+$/, '');

export const eventCatalog = (definitions: readonly EventDefinitions[]): EventCatalog => new EventCatalog(definitions);

/** The two formats that schemas of ours may name; instants as `Date.prototype.toISOString` writes them. */
const FORMATS = {
  'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/,
  uuid: /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
};

/** A mark where sealing does not look would leave personal data in plain, so it is a mistake of the program. */
function refuseHiddenMarks(schema: unknown, where: string): void {
  if (typeof schema !== 'object' || schema === null) return;
  for (const [word, part] of Object.entries(schema)) {
    if (word === 'properties') for (const each of Object.values(part as object)) refuseHiddenMarks(each, where);
    else if (word === 'items' || word === 'additionalProperties') refuseHiddenMarks(part, where);
    else if (marksPersonal(part)) throw new Error(`${where}: x-personal below ${word} would not be sealed`);
  }
}
