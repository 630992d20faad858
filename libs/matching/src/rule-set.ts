import type { FieldError } from '#runtime/index.js';
import type { AttributeSchema } from './attributes.js';
import { TRIGGER_EVENTS, type TriggerEvent } from './event-attributes.js';
import { isPlainObject, strangers } from './input.js';
import { MatchingError } from './matching-error.js';
import { checkRule, type CheckedRule } from './rule.js';

/** When a handset asks. Stored in it, signed, versioned by its set. */
export interface TriggerRule {
  id: string;
  on: readonly TriggerEvent[];
  /** CEL over `device` and `event`; absent means always. */
  when?: string;
  /** At least this long between two requests by the rule, seconds. For `timer` it is the period. */
  minInterval?: number;
  /** The request is put off by a random time below this, seconds, so that a fleet does not ask at once. */
  jitter?: number;
  /** Fires at every n-th occurrence that satisfies it. */
  after?: number;
}

export interface RuleSet {
  version: number;
  rules: readonly TriggerRule[];
}

export interface CheckedTrigger extends TriggerRule {
  condition?: CheckedRule;
}

export interface CheckedRuleSet {
  version: number;
  rules: readonly CheckedTrigger[];
}

/** The rule that is in every set: polls when nothing has for 24 h. */
export const FLOOR_RULE = 'floor';

export const TRIGGER_LIMITS = {
  rules: 50,
  minIntervalSeconds: 30 * 86_400,
  jitterSeconds: 86_400,
  after: 1_000,
} as const;

/** Ids travel in a header (`Muster-Trigger: <rule>;v=<n>`). */
const ID = /^[a-z0-9][a-z0-9-]{0,39}$/;

/** Reads a rule set, as the target `rules/<v>` holds it. @throws MatchingError `rule-set.malformed` or `rule.*` */
export function checkRuleSet(input: unknown, schema: AttributeSchema): CheckedRuleSet {
  if (!isPlainObject(input)) throw malformed([{ pointer: '', message: 'must be an object' }]);
  const fields = strangers(input, ['version', 'rules'], '');
  const { version, rules } = input;
  if (!Number.isSafeInteger(version) || (version as number) < 1)
    fields.push({ pointer: '/version', message: 'must be an integer from 1' });
  if (!Array.isArray(rules) || rules.length > TRIGGER_LIMITS.rules)
    throw malformed([...fields, { pointer: '/rules', message: `must be a list of at most ${TRIGGER_LIMITS.rules}` }]);
  rules.forEach((rule: unknown, at) => fields.push(...triggerFaults(rule, `/rules/${at}`)));
  const ids = rules.map((rule: unknown) => (isPlainObject(rule) ? rule.id : undefined));
  ids.forEach((id, at) => {
    if (ids.indexOf(id) !== at) fields.push({ pointer: `/rules/${at}/id`, message: 'is used twice' });
  });
  if (fields.length > 0) throw malformed(fields);
  return {
    version: version as number,
    rules: (rules as TriggerRule[]).map((rule, at) => ({
      ...rule,
      ...(rule.when === undefined ? {} : { condition: checkRule(rule.when, schema, 'trigger', `/rules/${at}/when`) }),
    })),
  };
}

const malformed = (fields: FieldError[]): MatchingError =>
  new MatchingError('rule-set.malformed', {}, 'not a rule set', fields);

function triggerFaults(rule: unknown, pointer: string): FieldError[] {
  if (!isPlainObject(rule)) return [{ pointer, message: 'must be an object' }];
  const faults = strangers(rule, ['id', 'on', 'when', 'minInterval', 'jitter', 'after'], pointer);
  const { id, on, when } = rule;
  if (typeof id !== 'string' || !ID.test(id) || id === FLOOR_RULE)
    faults.push({ pointer: `${pointer}/id`, message: `must be lower-case letters, digits and -, not ${FLOOR_RULE}` });
  if (!Array.isArray(on) || on.length === 0 || on.length > TRIGGER_EVENTS.length || !on.every(isTriggerEvent))
    faults.push({ pointer: `${pointer}/on`, message: `must list some of ${TRIGGER_EVENTS.join(', ')}` });
  if (when !== undefined && typeof when !== 'string')
    faults.push({ pointer: `${pointer}/when`, message: 'must be a rule' });
  const { minInterval, jitter, after } = rule;
  faults.push(
    ...rangeFaults(`${pointer}/minInterval`, minInterval, { from: 1, to: TRIGGER_LIMITS.minIntervalSeconds }),
    ...rangeFaults(`${pointer}/jitter`, jitter, { from: 0, to: TRIGGER_LIMITS.jitterSeconds }),
    ...rangeFaults(`${pointer}/after`, after, { from: 1, to: TRIGGER_LIMITS.after }),
  );
  return faults;
}

export const isTriggerEvent = (on: unknown): on is TriggerEvent => TRIGGER_EVENTS.some((known) => known === on);

function rangeFaults(pointer: string, value: unknown, { from, to }: { from: number; to: number }): FieldError[] {
  const fits = value === undefined || (Number.isInteger(value) && (value as number) >= from && (value as number) <= to);
  return fits ? [] : [{ pointer, message: `must be an integer from ${from} to ${to}` }];
}
