import { Environment, type ASTNode } from '@marcbachmann/cel-js';
import { ATTRIBUTE_LIMITS, declarationOf, type AttributeSchema } from './attributes.js';
import { EVENT_SCHEMA } from './event-attributes.js';
import { isWellFormed, utf8Length } from './input.js';
import { MatchingError, type MatchingErrorCode } from './matching-error.js';
import { profile, ProfileFault } from './profile.js';
import type { RuleNode, RuleVariable } from './rule-node.js';
import type { Range } from './rule-range.js';
import { weigh } from './rule-cost.js';

/** Bounds of a rule; what is over them is refused where it is written and again on the handset. */
export const RULE_LIMITS = { sourceBytes: 4_096, nodes: 500, depth: 32, listItems: 200, cost: 20_000 } as const;

/** Selectors speak of the device; triggers also of what has just happened. */
export type RuleKind = 'selector' | 'trigger';

/** A rule that can be evaluated: parsed, inside the profile, typed against a schema, its cost bounded. */
export interface CheckedRule {
  readonly source: string;
  readonly kind: RuleKind;
  readonly root: RuleNode;
  /** Upper bound of the steps that evaluation can take, whatever the attributes. */
  readonly cost: number;
}

/**
 * Reads a rule. cel-js parses and infers types; names, functions, shape and cost are checked here.
 * @param pointer where the rule stands in the input, for the problem document
 * @throws MatchingError `rule.*`, details `{ start, end }` in UTF-16 units of the source
 */
export function checkRule(source: unknown, schema: AttributeSchema, kind: RuleKind, pointer = ''): CheckedRule {
  const refuse = (code: MatchingErrorCode, message: string, range: Range): MatchingError =>
    new MatchingError(code, { start: range.start, end: range.end }, message, [{ pointer, message }]);
  if (typeof source !== 'string') throw refuse('rule.parse', 'must be a string', { start: 0, end: 0 });
  const whole = { start: 0, end: source.length };
  if (source.length > RULE_LIMITS.sourceBytes || utf8Length(source) > RULE_LIMITS.sourceBytes)
    throw refuse('rule.too-large', `must be at most ${RULE_LIMITS.sourceBytes} bytes`, whole);
  if (!isWellFormed(source)) throw refuse('rule.parse', 'holds half of a surrogate pair', whole);
  const parsed = parse(source, environmentOf(schema, kind));
  if ('fault' in parsed) throw refuse(parsed.fault.code, parsed.fault.message, parsed.fault.range);
  try {
    const declared = { schemaOf: (variable: RuleVariable) => schemaOf(variable, schema, kind), limits: RULE_LIMITS };
    const root = profile(parsed.ast, declared);
    const type = parsed.check();
    if ('fault' in type) throw new ProfileFault('rule.type', type.fault.message, type.fault.range);
    if (type.name !== 'bool') throw new ProfileFault('rule.type', `must be true or false, not ${type.name}`, whole);
    const cost = weigh(root, (variable, name) => itemsOf(schemaOf(variable, schema, kind), name));
    if (cost > RULE_LIMITS.cost)
      throw new ProfileFault('rule.cost', `may take ${cost} steps, at most ${RULE_LIMITS.cost} are allowed`, whole);
    return { source, kind, root, cost };
  } catch (fault) {
    if (fault instanceof ProfileFault) throw refuse(fault.code, fault.message, fault.range);
    throw fault;
  }
}

function schemaOf(variable: RuleVariable, schema: AttributeSchema, kind: RuleKind): AttributeSchema | undefined {
  if (variable === 'device') return schema;
  return kind === 'trigger' ? EVENT_SCHEMA : undefined;
}

const itemsOf = (schema: AttributeSchema | undefined, name: string): number =>
  schema !== undefined && declarationOf(schema, name)?.type.startsWith('list') === true
    ? ATTRIBUTE_LIMITS.listItems
    : 1;

interface Fault {
  code: MatchingErrorCode;
  message: string;
  range: Range;
}

type TypeOutcome = { name: string } | { fault: Fault };

function parse(
  source: string,
  environment: Environment,
): { ast: ASTNode; check: () => TypeOutcome } | { fault: Fault } {
  try {
    const parsed = environment.parse(source);
    return { ast: parsed.ast, check: () => typeOf(parsed.check(), source) };
  } catch (error) {
    return { fault: faultOf(error, source) };
  }
}

function typeOf(outcome: { valid: boolean; type?: string; error?: unknown }, source: string): TypeOutcome {
  return outcome.valid ? { name: outcome.type ?? 'dyn' } : { fault: faultOf(outcome.error, source) };
}

/** The parser throws its own errors with a range; anything else (a stack too deep) counts against the whole text. */
function faultOf(error: unknown, source: string): Fault {
  const whole = { start: 0, end: source.length };
  if (error instanceof RangeError) return { code: 'rule.too-large', message: 'is nested too deeply', range: whole };
  const { code, summary, range } = error as { code?: string; summary?: string; range?: Range };
  return {
    code: code === 'limit_exceeded' ? 'rule.too-large' : 'rule.parse',
    message: summary ?? 'does not parse',
    range: range === undefined ? whole : { start: range.start, end: range.end },
  };
}

/** The parser's own bounds only keep it from running away; the profile counts again, in nodes of our tree. */
const PARSER_LIMITS = {
  maxAstNodes: 2_000,
  maxDepth: 100,
  maxListElements: 1_000,
  maxMapEntries: 1,
  maxCallArguments: 4,
};

const environments = {
  selector: new WeakMap<AttributeSchema, Environment>(),
  trigger: new WeakMap<AttributeSchema, Environment>(),
};

/** Declaring a schema costs more than parsing a rule, so it is done once for each schema object. */
function environmentOf(schema: AttributeSchema, kind: RuleKind): Environment {
  const known = environments[kind].get(schema);
  if (known !== undefined) return known;
  const environment = new Environment({ limits: PARSER_LIMITS });
  environment.registerVariable({ name: 'device', schema: typesOf(schema) });
  if (kind === 'trigger') environment.registerVariable({ name: 'event', schema: typesOf(EVENT_SCHEMA) });
  environment.registerFunction('semver(string, string): int', () => 0n); // for its type: the parser never evaluates
  environments[kind].set(schema, environment);
  return environment;
}

const typesOf = (schema: AttributeSchema): Record<string, string> =>
  Object.fromEntries(Object.entries(schema.attributes).map(([name, { type }]) => [name, type]));
