import type { AttributeValue } from '#device-protocol/index.js';
import type { Kept } from '#identity/index.js';
import {
  type AttributeSchema,
  type Attributes,
  checkAttributes,
  MatchingError,
  type ValueSource,
} from '#matching/index.js';

/** What a device told of itself, and when. */
export interface TellingOf {
  attributes: Readonly<Record<string, AttributeValue>>;
  at: string;
}

/** A value that counts, and whose word it is. */
export interface SourcedValue {
  value: AttributeValue;
  source: ValueSource;
  at: string;
}

/**
 * Whose word counts, by name: what the device tells of itself, and where it tells nothing what is kept of it; the other
 * way round where the schema prefers what is kept.
 * @param told null: it has told nothing
 */
export function valuesOf(
  told: TellingOf | null,
  kept: Kept,
  schema?: AttributeSchema,
): Readonly<Record<string, SourcedValue>> {
  const values = new Map<string, SourcedValue>();
  for (const [name, { value, at }] of Object.entries(kept)) values.set(name, { value, source: 'kept', at });
  for (const [name, value] of Object.entries(told?.attributes ?? {}))
    if (!values.has(name) || !prefersKept(schema, name)) values.set(name, { value, source: 'device', at: told!.at });
  return Object.fromEntries(values);
}

const prefersKept = (schema: AttributeSchema | undefined, name: string): boolean =>
  schema !== undefined && Object.hasOwn(schema.attributes, name) && schema.attributes[name]!.prefers === 'kept';

/**
 * What a device is compared by.
 * @throws MatchingError `attributes.malformed` naming what it told; what is kept was checked when it came
 */
export function comparedBy(schema: AttributeSchema, told: TellingOf, kept: Kept): Attributes {
  const checked = checkAttributes(schema, told.attributes, '/attributes');
  if (Object.keys(kept).length === 0) return checked;
  const ofKept = Object.entries(valuesOf(told, kept, schema)).filter(([, { source }]) => source === 'kept');
  const values = Object.fromEntries(ofKept.map(([name, { value }]) => [name, value]));
  return { ...checked, ...checkAttributes(schema, values, '/kept') };
}

/** The same of what was told before: null where the schema of today, which may have been restored from before, does not have it. */
export function knownBy(...asked: Parameters<typeof comparedBy>): Attributes | null {
  try {
    return comparedBy(...asked);
  } catch (error) {
    if (error instanceof MatchingError) return null;
    throw error;
  }
}

/** Changes of what is kept, as they came. @throws MatchingError `attributes.malformed` naming the attribute */
export function checkKept(schema: AttributeSchema, changes: Readonly<Record<string, unknown>>): void {
  const entries = Object.entries(changes);
  const unknown = entries.filter(([name, value]) => value === null && !Object.hasOwn(schema.attributes, name));
  if (unknown.length > 0)
    throw new MatchingError(
      'attributes.malformed',
      {},
      'attributes against the schema',
      unknown.map(([name]) => ({ pointer: `/attributes/${name}`, message: 'is not in the schema' })),
    );
  const values = Object.fromEntries(entries.filter(([, value]) => value !== null));
  checkAttributes(schema, values, '/attributes');
}
