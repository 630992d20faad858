import { type AttributeSchema, type CheckedRuleSet } from '#matching/index.js';
import { type Log } from '#runtime/index.js';
import { NO_SCHEMA } from './catalogue.js';
import { isRefusal } from './errors.js';
import { type RuleEngine } from './rule-engine.js';
import { hasFields, readJson, type Store, writeJson } from './store.js';

/** Who says what rules mean, and who hears of those that are refused. */
export interface RuleReader {
  engine: Pick<RuleEngine, 'checkSchema' | 'checkRuleSet'>;
  log: Log;
}

const FILE = 'rules.json';

/** The rules that the handset wakes by, and the schema that they are written against: one blob, so they change together. */
export interface StoredRules {
  schema: AttributeSchema;
  ruleSet: CheckedRuleSet;
  /** The set as it was signed. */
  rules: unknown;
}

interface Stored {
  schema: unknown;
  rules: unknown;
}

/** No rule: the floor alone wakes the handset. */
const NONE: StoredRules = { schema: NO_SCHEMA, ruleSet: { version: 0, rules: [] }, rules: null };

const isStored = (value: unknown): value is Stored => hasFields(value, 'schema', 'rules');

/** The rules as last adopted; the generation before when the newest does not read. */
export function readRules(store: Store, reader: RuleReader): StoredRules {
  const isSound = (value: unknown): value is Stored => isStored(value) && checked(value, reader) !== undefined;
  const stored = readJson(store, FILE, isSound);
  return (stored && checked(stored, reader)) ?? NONE;
}

/**
 * Takes new rules over, in one write. A set that does not hold against its schema is refused and the old one stays: a
 * mistake in a rule must not silence a fleet.
 */
export function adoptRules(
  store: Store,
  { schema, rules }: { schema: AttributeSchema; rules: unknown },
  reader: RuleReader,
): StoredRules | undefined {
  const stored = { schema: schema.version === 0 ? null : schema, rules };
  const adopted = checked(stored, reader);
  if (adopted !== undefined) writeJson(store, FILE, stored);
  return adopted;
}

function checked({ schema, rules }: Stored, { engine, log }: RuleReader): StoredRules | undefined {
  try {
    const known = schema === null ? NO_SCHEMA : engine.checkSchema(schema);
    return { schema: known, ruleSet: rules === null ? NONE.ruleSet : engine.checkRuleSet(rules, known), rules };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    log.error('rules.refused', { code: error.code, fields: error.fields.map(({ pointer }) => pointer) });
    return undefined;
  }
}
