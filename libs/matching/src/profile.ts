import type { ASTNode } from '@marcbachmann/cel-js';
import { declarationOf, isInt64, type AttributeSchema } from './attributes.js';
import type { MatchingErrorCode } from './matching-error.js';
import { wholeRanges, type Range } from './rule-range.js';
import {
  RULE_FUNCTIONS,
  type BinaryOperator,
  type RuleFunction,
  type RuleNode,
  type RuleVariable,
} from './rule-node.js';

/** A part of a rule that is outside the profile, and where it stands. */
export class ProfileFault extends Error {
  constructor(
    readonly code: MatchingErrorCode,
    message: string,
    readonly range: Range,
  ) {
    super(message);
  }
}

export interface ProfileSettings {
  /** Undefined when rules of this kind cannot name the variable. */
  schemaOf(variable: RuleVariable): AttributeSchema | undefined;
  limits: { nodes: number; depth: number; listItems: number };
}

/** How each function may be called: `f(a, b)`, or `a.f(b)` as well. */
const FORMS: Record<RuleFunction, { global?: number; method?: number }> = {
  size: { global: 1, method: 0 },
  startsWith: { method: 1 },
  endsWith: { method: 1 },
  contains: { method: 1 },
  semver: { global: 2 },
};

/**
 * Takes the parser's tree to ours and refuses what the profile leaves out of CEL: regular expressions, nested
 * comprehensions, conversions, maps, bytes, unsigned integers, null, and every name that no schema declares.
 * @throws ProfileFault
 */
export function profile(ast: ASTNode, settings: ProfileSettings): RuleNode {
  const whole = wholeRanges(ast.input);
  let nodes = 0;
  const walk = (node: ASTNode, at: Place): RuleNode => {
    nodes += 1;
    if (nodes > settings.limits.nodes) throw fault('rule.too-large', `more than ${settings.limits.nodes} nodes`, node);
    if (at.depth > settings.limits.depth)
      throw fault('rule.too-large', `nested deeper than ${settings.limits.depth}`, node);
    const translated = translate(node, at, { walk, settings });
    return { ...translated, ...whole(translated) };
  };
  return walk(ast, { depth: 1 });
}

/** How deep a node stands, in which chain, and which variable a comprehension around it has bound. */
interface Place {
  depth: number;
  chain?: '&&' | '||';
  local?: string;
}

interface Translation {
  walk(node: ASTNode, at: Place): RuleNode;
  settings: ProfileSettings;
}

const fault = (
  code: MatchingErrorCode,
  message: string,
  { start, end }: { start: number; end: number },
): ProfileFault => new ProfileFault(code, message, { start, end });

function translate(node: ASTNode, at: Place, to: Translation): RuleNode {
  const { start, end } = node;
  const below = (child: ASTNode): RuleNode => to.walk(child, { depth: at.depth + 1, local: at.local });
  switch (node.op) {
    case 'value':
      return { op: 'literal', value: literal(node.args, node), start, end };
    case 'id':
      return local(node.args, node, at);
    case '.':
      return { op: 'attribute', ...attribute(node, at, to.settings), start, end };
    case 'call':
      return call(node, { name: node.args[0], args: node.args[1] }, at, to);
    case 'rcall':
      return call(node, { receiver: node.args[1], name: node.args[0], args: node.args[2] }, at, to);
    case 'list':
      if (node.args.length > to.settings.limits.listItems)
        throw fault('rule.too-large', `a list of more than ${to.settings.limits.listItems} items`, node);
      return { op: 'list', items: node.args.map(below), start, end };
    case '||':
    case '&&':
      return chain(node, at, to);
    case '!_':
      return { op: 'not', operand: below(node.args), start, end };
    case '-_':
      return negation(node, node.args, below);
    case '?:':
      return branches(node, below);
    default:
      if (!isBinary(node)) throw fault('rule.type', 'maps and optional values are not in the profile', node);
      return { op: 'binary', operator: node.op, left: below(node.args[0]), right: below(node.args[1]), start, end };
  }
}

type Binary = Extract<ASTNode, { op: BinaryOperator }>;

const isBinary = (node: Binary | Extract<ASTNode, { op: 'map' | '.?' | '[?]' }>): node is Binary =>
  node.op !== 'map' && node.op !== '.?' && node.op !== '[?]';

function branches(node: Extract<ASTNode, { op: '?:' }>, below: (child: ASTNode) => RuleNode): RuleNode {
  const [condition, then, otherwise] = node.args;
  const { start, end } = node;
  return { op: 'if', condition: below(condition), then: below(then), otherwise: below(otherwise), start, end };
}

/** `a && b && c` leans to the left; it reads as one level however long it is. */
function chain(node: Extract<ASTNode, { op: '&&' | '||' }>, at: Place, to: Translation): RuleNode {
  const depth = at.chain === node.op ? at.depth : at.depth + 1;
  const place: Place = { depth, chain: node.op, local: at.local };
  const [left, right] = node.args;
  const op = node.op === '&&' ? 'and' : 'or';
  return { op, left: to.walk(left, place), right: to.walk(right, place), start: node.start, end: node.end };
}

/** `-9223372036854775808` is one literal: its digits alone would be out of range. */
function negation(node: ASTNode, operand: ASTNode, below: (child: ASTNode) => RuleNode): RuleNode {
  const { start, end } = node;
  if (operand.op === 'value' && (typeof operand.args === 'bigint' || typeof operand.args === 'number'))
    return { op: 'literal', value: literal(-operand.args, node), start, end };
  return { op: 'negate', operand: below(operand), start, end };
}

function literal(value: unknown, node: ASTNode): bigint | number | string | boolean {
  if (typeof value === 'bigint') {
    if (isInt64(value)) return value;
    throw fault('rule.type', 'an integer beyond 64 bits', node);
  }
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') return value;
  throw fault('rule.type', 'null, bytes and unsigned integers are not in the profile', node);
}

function local(name: string, node: ASTNode, at: Place): RuleNode {
  if (name === at.local) return { op: 'local', name, start: node.start, end: node.end };
  if (name === 'device' || name === 'event')
    throw fault('rule.type', `${name} is read by attribute, as in ${name}.name`, node);
  throw fault('rule.unknown-attribute', `${shown(name)} is not a variable`, node);
}

/** `device.name`, the one form in which attributes are read. */
function attribute(
  node: Extract<ASTNode, { op: '.' }>,
  at: Place,
  settings: ProfileSettings,
): { variable: RuleVariable; name: string } {
  const [of, name] = node.args;
  if (of.op !== 'id' || of.args === at.local) throw fault('rule.type', `only a variable has .${shown(name)}`, node);
  const schema = of.args === 'device' || of.args === 'event' ? settings.schemaOf(of.args) : undefined;
  if (schema === undefined) throw fault('rule.unknown-attribute', `${shown(of.args)} is not a variable`, of);
  if (declarationOf(schema, name) === undefined)
    throw fault('rule.unknown-attribute', `${of.args}.${shown(name)} is not in the schema`, node);
  return { variable: of.args as RuleVariable, name };
}

interface Call {
  receiver?: ASTNode;
  name: string;
  args: readonly ASTNode[];
}

function call(node: ASTNode, { receiver, name, args }: Call, at: Place, to: Translation): RuleNode {
  const { start, end } = node;
  if (name === 'has' && receiver === undefined) {
    const [what] = args;
    if (args.length !== 1 || what?.op !== '.') throw fault('rule.type', 'has() takes one attribute', node);
    return { op: 'has', ...attribute(what, at, to.settings), start, end };
  }
  if ((name === 'exists' || name === 'all') && receiver !== undefined)
    return comprehension(node, { receiver, name, args }, at, to);
  const known = RULE_FUNCTIONS.find((candidate) => candidate === name);
  if (known === undefined) throw fault('rule.unknown-function', `${shown(name)}() is not in the profile`, node);
  const wanted = receiver === undefined ? FORMS[known].global : FORMS[known].method;
  if (wanted === undefined || args.length !== wanted)
    throw fault('rule.type', `${name}() is not called in this form`, node);
  const operands = receiver === undefined ? args : [receiver, ...args];
  const place = { depth: at.depth + 1, local: at.local };
  return { op: 'call', name: known, args: operands.map((operand) => to.walk(operand, place)), start, end };
}

function comprehension(
  node: ASTNode,
  { receiver, name, args }: Required<Call> & { name: 'exists' | 'all' },
  at: Place,
  to: Translation,
): RuleNode {
  const [variable, body] = args;
  if (args.length !== 2 || variable?.op !== 'id' || body === undefined)
    throw fault('rule.type', `${name}() takes a name and a condition`, node);
  if (at.local !== undefined) throw fault('rule.nested-comprehension', `${name}() inside another one`, node);
  if (variable.args === 'device' || variable.args === 'event')
    throw fault('rule.type', `${variable.args} cannot be a name of its own`, variable);
  const depth = at.depth + 1;
  return {
    op: name,
    list: to.walk(receiver, { depth }),
    local: variable.args,
    body: to.walk(body, { depth, local: variable.args }),
    start: node.start,
    end: node.end,
  };
}

/** Names come from foreign text: cut, so that a message stays a message. */
const shown = (name: string): string => name.slice(0, 64);
