import type { Attributes } from './attributes.js';
import type { RuleNode, RuleVariable } from './rule-node.js';
import { applyFunction, applyOperator, Failure, Missing, negate, type Outcome, type RuleValue } from './rule-value.js';
import type { RuleErrorReason } from './rule-value.js';
import type { CheckedRule } from './rule.js';

/** The condition that decided: a part of the rule without `&&`, `||`, `!` and `?:` around it. */
export interface DecidingLeaf {
  source: string;
  /** UTF-16 offsets into the rule, end exclusive. */
  start: number;
  end: number;
  reason: 'decided' | 'missing' | 'error';
  /** With `missing`: the attribute, e.g. `device.country`. */
  attribute?: string;
  /** With `error`: what went wrong. */
  error?: RuleErrorReason;
}

export interface Verdict {
  result: true | false | 'unknown';
  leaf: DecidingLeaf;
}

export interface RuleVariables {
  device: Attributes;
  event?: Attributes;
}

/** Evaluates a rule: true, false or unknown, and why. Total: a rule that fails is false with reason `error`. */
export function evaluate(rule: CheckedRule, variables: RuleVariables): Verdict {
  const decision = decide(rule.root, { variables, steps: 0 });
  return { result: resultOf(decision.truth), leaf: leafOf(rule.source, decision) };
}

/** The steps that evaluation takes: what `CheckedRule.cost` bounds. */
export function stepsOf(rule: CheckedRule, variables: RuleVariables): number {
  const scope: Scope = { variables, steps: 0 };
  decide(rule.root, scope);
  return scope.steps;
}

/** One evaluation of one rule. */
export interface Scope {
  variables: RuleVariables;
  steps: number;
  /** The item that the comprehension around has reached. */
  local?: RuleValue;
}

/** What a part of the logic came to, and by which leaf. */
interface Decision {
  truth: Outcome;
  leaf: RuleNode;
  /** Whether the leaf fixes the truth whatever the others are. */
  alone: boolean;
}

export const resultOf = (truth: Outcome): Verdict['result'] => (truth instanceof Missing ? 'unknown' : truth === true);

function leafOf(source: string, { truth, leaf }: Decision): DecidingLeaf {
  const { start, end } = leaf;
  const where = { source: source.slice(start, end), start, end };
  if (truth instanceof Missing) return { ...where, reason: 'missing', attribute: truth.attribute };
  if (truth instanceof Failure) return { ...where, reason: 'error', error: truth.reason };
  return { ...where, reason: 'decided' };
}

function decide(node: RuleNode, scope: Scope): Decision {
  if (!isLogic(node)) return { truth: asTruth(valueOf(node, scope)), leaf: node, alone: true };
  scope.steps += 1;
  switch (node.op) {
    case 'and':
    case 'or':
      return decidePair(node, scope);
    case 'not': {
      const operand = decide(node.operand, scope);
      return { ...operand, truth: invert(operand.truth) };
    }
    case 'if':
      return decideBranch(node, scope);
  }
}

function decidePair(node: RuleNode & { op: 'and' | 'or' }, scope: Scope): Decision {
  const absorbing = node.op === 'or';
  const left = decide(node.left, scope);
  if (left.truth === absorbing && left.alone) return left;
  const right = decide(node.right, scope);
  const truth = absorb(absorbing, left.truth, right.truth);
  if (truth === absorbing) {
    const first = left.truth === absorbing ? left : right;
    return right.truth === absorbing && right.alone ? right : first;
  }
  // Both had to be as they are, unless one is a constant, which cannot be otherwise.
  const alike = [left, right].filter((operand) => sameKind(operand.truth, truth));
  const pick = alike.find((operand) => !isConstant(operand)) ?? alike[0] ?? right;
  return { truth, leaf: pick.leaf, alone: pick.alone && isConstant(pick === left ? right : left) };
}

/** The condition only chose; the branch is what says so, unless it is a constant. */
function decideBranch(node: RuleNode & { op: 'if' }, scope: Scope): Decision {
  const condition = decide(node.condition, scope);
  if (typeof condition.truth !== 'boolean') return { ...condition, alone: false };
  const branch = decide(condition.truth ? node.then : node.otherwise, scope);
  if (isConstant(branch)) return { truth: branch.truth, leaf: condition.leaf, alone: condition.alone };
  return { ...branch, alone: branch.alone && isConstant(condition) };
}

const isConstant = ({ leaf }: Decision): boolean => leaf.op === 'literal';

function sameKind(a: Outcome, b: Outcome): boolean {
  if (b instanceof Missing) return a instanceof Missing;
  return b instanceof Failure ? a instanceof Failure : a === b;
}

/** `&&` (absorbing false) and `||` (absorbing true): the absorbing value wins, then unknown, then error. */
export function absorb(absorbing: boolean, left: Outcome, right: Outcome): Outcome {
  if (left === absorbing || right === absorbing) return absorbing;
  return firstOf(Missing, [left, right]) ?? firstOf(Failure, [left, right]) ?? !absorbing;
}

function firstOf<T>(kind: new (...args: never[]) => T, outcomes: readonly Outcome[]): T | undefined {
  return outcomes.find((outcome) => outcome instanceof kind) as T | undefined;
}

export const invert = (truth: Outcome): Outcome => (typeof truth === 'boolean' ? !truth : truth);

/** Attributes that are not what their schema says cannot come this far by `checkAttributes`; if they do, it is an error. */
export const asTruth = (outcome: Outcome): Outcome =>
  typeof outcome === 'boolean' || outcome instanceof Missing || outcome instanceof Failure
    ? outcome
    : new Failure('type');

export function valueOf(node: RuleNode, scope: Scope): Outcome {
  scope.steps += 1;
  switch (node.op) {
    case 'literal':
      return node.value;
    case 'attribute':
      return attributeOf(scope.variables, node.variable, node.name);
    case 'has':
      return !(attributeOf(scope.variables, node.variable, node.name) instanceof Missing);
    case 'local':
      return scope.local ?? new Failure('type');
    case 'exists':
    case 'all':
      return comprehension(node, scope);
    default:
      return isLogic(node) ? logicOf(node, scope) : operationOf(node, scope);
  }
}

type Logic = RuleNode & { op: 'and' | 'or' | 'not' | 'if' };
type Operation = RuleNode & { op: 'negate' | 'list' | 'binary' | 'call' };

export const isLogic = (node: RuleNode): node is Logic => ['and', 'or', 'not', 'if'].includes(node.op);

function operationOf(node: Operation, scope: Scope): Outcome {
  switch (node.op) {
    case 'negate':
      return strict([node.operand], scope, ([value]) => negate(value as RuleValue));
    case 'list':
      return strict(node.items, scope, (items) => items);
    case 'binary':
      return strict([node.left, node.right], scope, ([left, right]) =>
        applyOperator(node.operator, left as RuleValue, right as RuleValue),
      );
    case 'call':
      return strict(node.args, scope, (args) => applyFunction(node.name, args));
  }
}

/** Own properties only: `constructor` is an attribute like any other, or missing. */
function attributeOf(variables: RuleVariables, variable: RuleVariable, name: string): Outcome {
  const attributes = variables[variable];
  const value = attributes !== undefined && Object.hasOwn(attributes, name) ? attributes[name] : undefined;
  return value ?? new Missing(`${variable}.${name}`);
}

/** Logic inside a leaf, as in `(a || b) == c`: the same tables, without asking who decided. */
function logicOf(node: Logic, scope: Scope): Outcome {
  const truthOf = (child: RuleNode): Outcome => asTruth(valueOf(child, scope));
  if (node.op === 'not') return invert(truthOf(node.operand));
  if (node.op === 'if') {
    const condition = truthOf(node.condition);
    if (typeof condition !== 'boolean') return condition;
    return valueOf(condition ? node.then : node.otherwise, scope);
  }
  const absorbing = node.op === 'or';
  const left = truthOf(node.left);
  return left === absorbing ? left : absorb(absorbing, left, truthOf(node.right));
}

/** Every operand is needed: unknown if one is, else an error if one is. */
function strict(
  operands: readonly RuleNode[],
  scope: Scope,
  apply: (values: readonly RuleValue[]) => RuleValue | Failure,
): Outcome {
  const outcomes = operands.map((operand) => valueOf(operand, scope));
  return firstOf(Missing, outcomes) ?? firstOf(Failure, outcomes) ?? apply(outcomes as RuleValue[]);
}

/** exists is `||` over the items, all is `&&`. */
function comprehension(node: RuleNode & { op: 'exists' | 'all' }, scope: Scope): Outcome {
  const list = valueOf(node.list, scope);
  if (list instanceof Missing || list instanceof Failure) return list;
  if (!Array.isArray(list)) return new Failure('type');
  const absorbing = node.op === 'exists';
  let truth: Outcome = !absorbing;
  for (const item of list as readonly RuleValue[]) {
    scope.local = item;
    truth = absorb(absorbing, truth, asTruth(valueOf(node.body, scope)));
    if (truth === absorbing) break;
  }
  scope.local = undefined;
  return truth;
}
