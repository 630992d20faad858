import type { FieldError } from '#runtime/index.js';
import { MatchingError } from './matching-error.js';
import { isPlainObject, isWellFormed, member, strangers, utf8Length } from './input.js';

export const ATTRIBUTE_TYPES = ['int', 'double', 'string', 'bool', 'list<string>', 'list<int>'] as const;
export type AttributeType = (typeof ATTRIBUTE_TYPES)[number];

export interface AttributeDeclaration {
  type: AttributeType;
  description?: string;
  /** Sealed in every event that holds it. */
  personal?: boolean;
  /** Whose word counts where a device tells it and it is kept on the server, too; the device's when absent. Handsets need not know. */
  prefers?: ValueSource;
}

/** Where a value comes from: the device itself, or what the server keeps for its identity. */
export const VALUE_SOURCES = ['device', 'kept'] as const;
export type ValueSource = (typeof VALUE_SOURCES)[number];

/** What a tenant's handsets can say of themselves. Versions only add (checkSuccessor). */
export interface AttributeSchema {
  version: number;
  attributes: Readonly<Record<string, AttributeDeclaration>>;
}

export type AttributeScalar = bigint | number | string | boolean;
/** Integers are 64-bit, hence `bigint`; a `number` is always a double. */
export type AttributeEntry = AttributeScalar | readonly string[] | readonly bigint[];
/** Values that have passed `checkAttributes`; what is absent is unknown. */
export type Attributes = Readonly<Record<string, AttributeEntry>>;

/** Bounds of values, on which the cost of a rule is computed. */
export const ATTRIBUTE_LIMITS = { attributes: 256, nameLength: 64, stringBytes: 1_024, listItems: 64 } as const;

const NAME = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;
/** Words that CEL cannot read behind a dot (language definition, "Syntax"; `prototype` is refused by the parser that we use). */
const RESERVED = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while prototype'.split(
    ' ',
  ),
);
const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };

export const isInt64 = (value: bigint): boolean => value >= INT64.min && value <= INT64.max;

/** The declaration of a name, never one that the prototype brings (`constructor`, `toString`). */
export function declarationOf(schema: AttributeSchema, name: string): AttributeDeclaration | undefined {
  return Object.hasOwn(schema.attributes, name) ? schema.attributes[name] : undefined;
}

/** Reads a schema. @throws MatchingError `schema.malformed` with every field at fault */
export function checkSchema(input: unknown): AttributeSchema {
  if (!isPlainObject(input)) throw malformedSchema([{ pointer: '', message: 'must be an object' }]);
  const fields = strangers(input, ['version', 'attributes'], '');
  const { version, attributes } = input;
  if (!Number.isSafeInteger(version) || (version as number) < 1)
    fields.push({ pointer: '/version', message: 'must be an integer from 1' });
  if (!isPlainObject(attributes))
    throw malformedSchema([...fields, { pointer: '/attributes', message: 'must be an object' }]);
  const names = Object.keys(attributes);
  if (names.length > ATTRIBUTE_LIMITS.attributes)
    fields.push({ pointer: '/attributes', message: `must hold at most ${ATTRIBUTE_LIMITS.attributes} names` });
  const checked: Record<string, AttributeDeclaration> = {};
  for (const name of names) {
    const faults = declarationFaults(name, attributes[name]);
    if (faults.length === 0) checked[name] = attributes[name] as AttributeDeclaration;
    fields.push(...faults);
  }
  if (fields.length > 0) throw malformedSchema(fields);
  return { version: version as number, attributes: checked };
}

function declarationFaults(name: string, declaration: unknown): FieldError[] {
  const pointer = member('/attributes', name);
  if (!NAME.test(name) || RESERVED.has(name))
    return [{ pointer, message: 'must be a letter, then letters, digits or _, at most 64, and no word of CEL' }];
  if (!isPlainObject(declaration)) return [{ pointer, message: 'must be an object' }];
  const faults = strangers(declaration, ['type', 'description', 'personal', 'prefers'], pointer);
  if (!ATTRIBUTE_TYPES.some((type) => type === declaration.type))
    faults.push({ pointer: `${pointer}/type`, message: `must be one of ${ATTRIBUTE_TYPES.join(', ')}` });
  const { description, personal, prefers } = declaration;
  if (description !== undefined && (typeof description !== 'string' || utf8Length(description) > 1_024))
    faults.push({ pointer: `${pointer}/description`, message: 'must be a string of at most 1024 bytes' });
  if (personal !== undefined && typeof personal !== 'boolean')
    faults.push({ pointer: `${pointer}/personal`, message: 'must be true or false' });
  if (prefers !== undefined && !VALUE_SOURCES.some((source) => source === prefers))
    faults.push({ pointer: `${pointer}/prefers`, message: `must be one of ${VALUE_SOURCES.join(', ')}` });
  return faults;
}

const malformedSchema = (fields: FieldError[]): MatchingError =>
  new MatchingError('schema.malformed', {}, 'not an attribute schema', fields);

/**
 * Refuses a next version that is not purely additive: rules out there name what the old one declared.
 * @throws MatchingError `schema.not-additive` naming each attribute
 */
export function checkSuccessor(old: AttributeSchema, next: AttributeSchema): void {
  const fields: FieldError[] = [];
  if (next.version !== old.version + 1)
    fields.push({ pointer: '/version', message: `must be ${old.version + 1}, the next one` });
  for (const [name, declaration] of Object.entries(old.attributes)) {
    const kept = declarationOf(next, name);
    const pointer = `/attributes/${name}`;
    if (kept === undefined) fields.push({ pointer, message: 'was declared before and must stay' });
    else if (kept.type !== declaration.type)
      fields.push({ pointer: `${pointer}/type`, message: `must stay ${declaration.type}` });
    else if (declaration.personal === true && kept.personal !== true)
      fields.push({ pointer: `${pointer}/personal`, message: 'must stay personal' });
  }
  if (fields.length > 0) throw new MatchingError('schema.not-additive', {}, 'a schema may only grow', fields);
}

/**
 * Reads values against a schema: integers (JSON numbers, decimal strings beyond 2^53, or bigint) become `bigint`.
 * @param pointer where the values stand in what they came with
 * @throws MatchingError `attributes.malformed`, one field per refused name, its message without the value
 */
export function checkAttributes(schema: AttributeSchema, values: unknown, pointer = ''): Attributes {
  if (!isPlainObject(values))
    throw new MatchingError('attributes.malformed', {}, 'not attributes', [{ pointer, message: 'must be an object' }]);
  const fields: FieldError[] = [];
  const checked: Record<string, AttributeEntry> = {};
  for (const [name, value] of Object.entries(values)) {
    const declared = declarationOf(schema, name);
    const entry = declared === undefined ? undefined : READERS[declared.type](value);
    if (entry !== undefined) checked[name] = entry;
    else {
      const message = declared === undefined ? 'is not in the schema' : `must be ${WANTED[declared.type]}`;
      fields.push({ pointer: member(pointer, name), message });
    }
  }
  if (fields.length > 0) throw new MatchingError('attributes.malformed', {}, 'attributes against the schema', fields);
  return checked;
}

const DECIMAL = /^-?(?:0|[1-9][0-9]{0,18})$/;

function readInt(value: unknown): bigint | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined;
  const int = typeof value === 'string' && DECIMAL.test(value) ? BigInt(value) : value;
  return typeof int === 'bigint' && isInt64(int) ? int : undefined;
}

const readString = (value: unknown): string | undefined =>
  typeof value === 'string' && utf8Length(value) <= ATTRIBUTE_LIMITS.stringBytes && isWellFormed(value)
    ? value
    : undefined;

const readList =
  <T>(read: (item: unknown) => T | undefined) =>
  (value: unknown): readonly T[] | undefined => {
    if (!Array.isArray(value) || value.length > ATTRIBUTE_LIMITS.listItems) return undefined;
    const items = value.map(read).filter((item) => item !== undefined);
    return items.length === value.length ? items : undefined;
  };

const READERS: Record<AttributeType, (value: unknown) => AttributeEntry | undefined> = {
  int: readInt,
  double: (value) => (typeof value === 'number' && Number.isFinite(value) ? value : undefined),
  string: readString,
  bool: (value) => (typeof value === 'boolean' ? value : undefined),
  'list<string>': readList(readString),
  'list<int>': readList(readInt),
};

const WANTED: Record<AttributeType, string> = {
  int: 'a 64-bit integer',
  double: 'a finite number',
  string: 'a string of at most 1024 bytes of UTF-8',
  bool: 'true or false',
  'list<string>': 'a list of at most 64 strings of at most 1024 bytes',
  'list<int>': 'a list of at most 64 integers of 64 bits',
};
