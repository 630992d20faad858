import type { AttributeValue } from '#device-protocol/index.js';
import { type AttributeSchema, type AttributeType, checkAttributes, MatchingError } from '#matching/index.js';
import { CampaignError } from '../errors.js';
import { type ConfigData, DDI_LIMITS } from './read-body.js';

/** As a hawkBit client tells them: all text. */
export type ToldAttributes = Readonly<Record<string, string>>;

/** What is known of a device after it told more. @throws CampaignError `ddi.too-many`: nothing of it counts then */
export function afterTelling(before: ToldAttributes, { mode, data }: ConfigData): ToldAttributes {
  const after = new Map(Object.entries(mode === 'replace' ? {} : before));
  for (const [name, value] of Object.entries(data))
    if (mode === 'remove' || value === null) after.delete(name);
    else after.set(name, value);
  if (after.size > DDI_LIMITS.attributes)
    throw new CampaignError('ddi.too-many', {}, `at most ${DDI_LIMITS.attributes} attributes`, [
      { pointer: '/data', message: `at most ${DDI_LIMITS.attributes} attributes` },
    ]);
  return Object.fromEntries(after);
}

/**
 * The same as the tenant's schema types it. What the schema does not know, or what is not of its type, is left out and not refused: hawkBit
 * takes any text, and a client that is refused tells the same again for ever. It is kept as it was told, so that a schema that grows
 * finds it there.
 */
export function typedAttributes(schema: AttributeSchema, told: ToldAttributes): Record<string, AttributeValue> {
  const typed: Record<string, AttributeValue> = {};
  for (const [name, text] of Object.entries(told)) {
    if (!Object.hasOwn(schema.attributes, name)) continue;
    const value = READ[schema.attributes[name]!.type](text);
    if (value !== undefined && fits(schema, name, value)) typed[name] = value;
  }
  return typed;
}

/** The zone that it told, for windows in the device's own; without one that is any, UTC. */
export function zoneOf({ timezone = 'UTC' }: ToldAttributes): string {
  try {
    return /^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(timezone) && new Intl.DateTimeFormat('en', { timeZone: timezone })
      ? timezone
      : 'UTC';
  } catch {
    return 'UTC';
  }
}

function fits(schema: AttributeSchema, name: string, value: AttributeValue): boolean {
  try {
    checkAttributes(schema, { [name]: value });
    return true;
  } catch (error) {
    if (error instanceof MatchingError) return false;
    throw error;
  }
}

const DECIMAL = /^-?\d{1,19}$/;
const items = (text: string): string[] => (text === '' ? [] : text.split(',').map((item) => item.trim()));
const asInt = (text: string): number | string => (Number.isSafeInteger(Number(text)) ? Number(text) : text);

/** A list is told with commas between. */
const READ: Record<AttributeType, (text: string) => AttributeValue | undefined> = {
  int: (text) => (DECIMAL.test(text) ? asInt(text) : undefined),
  double: (text) => (text.trim() === '' || !Number.isFinite(Number(text)) ? undefined : Number(text)),
  string: (text) => text,
  bool: (text) => ({ true: true, false: false })[text.toLowerCase()],
  'list<string>': items,
  'list<int>': (text) => (items(text).every((item) => DECIMAL.test(item)) ? items(text).map(asInt) : undefined),
};
