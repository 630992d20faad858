import { isDeepStrictEqual } from 'node:util';
import { type AttributeSchema, checkRuleSet, checkSchema, checkSuccessor, type RuleSet } from '#matching/index.js';
import { type Caps, NO_CAPS } from './caps.js';
import { refusal } from './errors.js';
import type { CatalogueEvent } from './events.js';
import { checkCaps } from './settings.js';

/** What handsets can say of themselves before a tenant has published a schema: nothing. */
export const EMPTY_SCHEMA: AttributeSchema = { version: 0, attributes: {} };

/**
 * The rules that a channel starts with: a handset asks when it has booted, when it gets a network, when someone says so,
 * and four times a day. Whatever follows them, the handset's own floor of 24 h stays.
 */
export const FIRST_RULES: RuleSet = {
  version: 1,
  rules: [
    { id: 'boot', on: ['boot'] },
    { id: 'network', on: ['network'], minInterval: 60, jitter: 10 },
    { id: 'timer', on: ['timer'], minInterval: 21_600, jitter: 600 },
    { id: 'manual', on: ['manual'] },
    { id: 'push', on: ['push'], jitter: 10 },
  ],
};

export type SchemaEvent = Extract<CatalogueEvent, { type: 'AttributeSchemaPublished' }>;
export interface PublishSchema {
  type: 'PublishSchema';
  data: { schema: unknown };
}

function decideSchema(current: AttributeSchema, { data }: PublishSchema): SchemaEvent[] {
  const next = checkSchema(data.schema);
  if (isDeepStrictEqual(next, current)) return [];
  if (current.version > 0) checkSuccessor(current, next);
  else if (next.version !== 1) throw refusal('schema.not-next', '/version', 'the first schema has version 1');
  return [{ type: 'AttributeSchemaPublished', data: { version: next.version, schema: next } }];
}

/** Stream `schema`: the tenant's attribute schema, which only grows. */
export const schemaDecider = {
  topic: 'muster.campaign' as const,
  initial: EMPTY_SCHEMA,
  decide: decideSchema,
  evolve: (_: AttributeSchema, { data }: SchemaEvent): AttributeSchema => data.schema as AttributeSchema,
};

export interface ReviewPolicy {
  /** How many people, other than its authors, have to approve a campaign before it is scheduled; 0 = none. */
  approvals: number;
}
type ReviewEvent = Extract<CatalogueEvent, { type: 'ReviewPolicySet' }>;
interface SetReviewPolicy {
  type: 'SetReviewPolicy';
  data: ReviewPolicy;
}

/** Stream `review`. */
export const reviewDecider = {
  topic: 'muster.campaign' as const,
  initial: { approvals: 0 },
  decide: (current: ReviewPolicy, { data }: SetReviewPolicy): ReviewEvent[] =>
    data.approvals === current.approvals ? [] : [{ type: 'ReviewPolicySet', data }],
  evolve: (_: ReviewPolicy, { data }: ReviewEvent): ReviewPolicy => data,
};

type SelectionEvent = Extract<CatalogueEvent, { type: 'SelectionChanged' }>;

/** Stream `selection:<channel>`: each digest once, since it follows from the campaigns. */
export const selectionDecider = {
  topic: 'muster.campaign' as const,
  initial: new Set<string>() as ReadonlySet<string>,
  decide: (known: ReadonlySet<string>, { data }: { data: SelectionEvent['data'] }): SelectionEvent[] =>
    known.has(data.digest) ? [] : [{ type: 'SelectionChanged', data }],
  evolve: (known: ReadonlySet<string>, { data }: SelectionEvent): ReadonlySet<string> =>
    new Set(known).add(data.digest),
};

type CapsEvent = Extract<CatalogueEvent, { type: 'NetworkCapsSet' }>;
interface SetNetworkCaps {
  type: 'SetNetworkCaps';
  data: Caps;
}

/** Stream `caps`. */
export const capsDecider = {
  topic: 'muster.campaign' as const,
  initial: NO_CAPS,
  decide(current: Caps, { data }: SetNetworkCaps): CapsEvent[] {
    checkCaps(data, '');
    return isDeepStrictEqual(data, current) ? [] : [{ type: 'NetworkCapsSet', data }];
  },
  evolve: (_: Caps, { data }: CapsEvent): Caps => data,
};

export type RulesEvent = Extract<CatalogueEvent, { type: 'RuleSetPublished' }>;
export interface PublishRules {
  type: 'PublishRules';
  data: { channel: string; rules: RuleSet };
  schema: AttributeSchema;
}
const NO_RULES: RuleSet = { version: 0, rules: [] };

function decideRules(current: RuleSet, { data, schema }: PublishRules): RulesEvent[] {
  checkRuleSet(data.rules, schema);
  const next = data.rules;
  if (isDeepStrictEqual(next, current)) return [];
  if (next.version !== current.version + 1)
    throw refusal('rules.not-next', '/version', `the next rule set has version ${current.version + 1}`);
  return [{ type: 'RuleSetPublished', data: { channel: data.channel, version: next.version, rules: next } }];
}

/** Stream `rules:<channel>`: what wakes the handsets of a channel. */
export const rulesDecider = {
  topic: 'muster.campaign' as const,
  initial: NO_RULES,
  decide: decideRules,
  evolve: (_: RuleSet, { data }: RulesEvent): RuleSet => data.rules as RuleSet,
};

export const SCHEMA_STREAM = 'schema';
export const REVIEW_STREAM = 'review';
export const CAPS_STREAM = 'caps';
export const rulesStream = (channel: string): string => `rules:${channel}`;
export const selectionStream = (channel: string): string => `selection:${channel}`;
export const catalogueStream = (channel: string): string => `catalogue:${channel}`;
