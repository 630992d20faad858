import { isInt64, type AttributeEntry } from './attributes.js';
import type { Arithmetic, BinaryOperator, Comparison, RuleFunction } from './rule-node.js';
import { compareVersions } from './semver.js';

/** Why a rule could not say; never with a value in it. */
export type RuleErrorReason = 'overflow' | 'division-by-zero' | 'index' | 'version' | 'type';

/** An attribute that the handset does not have: the only source of unknown. */
export class Missing {
  constructor(readonly attribute: string) {}
}

/** An operation that has no result. */
export class Failure {
  constructor(readonly reason: RuleErrorReason) {}
}

export type RuleValue = AttributeEntry | readonly RuleValue[];
export type Outcome = RuleValue | Missing | Failure;

const TYPE = new Failure('type');
const isList = (value: RuleValue): value is readonly RuleValue[] => Array.isArray(value);
const isNumeric = (value: RuleValue): value is bigint | number =>
  typeof value === 'bigint' || typeof value === 'number';

/** Applies an operator to values. @see CEL language definition, "List of Standard Definitions" */
export function applyOperator(operator: BinaryOperator, left: RuleValue, right: RuleValue): RuleValue | Failure {
  switch (operator) {
    case '==':
      return equal(left, right);
    case '!=':
      return !equal(left, right);
    case 'in':
      return isList(right) ? right.some((item) => equal(left, item)) : TYPE;
    case '[]':
      return itemAt(left, right);
    default:
      return isComparison(operator) ? ordered(operator, left, right) : arithmetic(operator, left, right);
  }
}

const isComparison = (operator: Comparison | Arithmetic): operator is Comparison => /[<>]/.test(operator);

/** Integers and doubles are compared by their mathematical value: JavaScript's loose `==` of bigint and number is exact. */
export function equal(left: RuleValue, right: RuleValue): boolean {
  if (isList(left) && isList(right))
    return left.length === right.length && left.every((item, at) => equal(item, right[at] as RuleValue));
  if (isNumeric(left) && isNumeric(right)) return left == right;
  return left === right;
}

function itemAt(list: RuleValue, index: RuleValue): RuleValue | Failure {
  if (!isList(list) || typeof index !== 'bigint') return TYPE;
  const item = index >= 0n && index < BigInt(list.length) ? list[Number(index)] : undefined;
  return item ?? new Failure('index');
}

function ordered(operator: Comparison, left: RuleValue, right: RuleValue): boolean | Failure {
  if (typeof left === 'string' && typeof right === 'string') return holds(operator, compareStrings(left, right), 0);
  if (typeof left === 'boolean' && typeof right === 'boolean') return holds(operator, Number(left), Number(right));
  return isNumeric(left) && isNumeric(right) ? holds(operator, left, right) : TYPE;
}

function holds(operator: Comparison, left: bigint | number, right: bigint | number): boolean {
  switch (operator) {
    case '<':
      return left < right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    case '>=':
      return left >= right;
  }
}

/** By Unicode code points, as UTF-8 sorts; JavaScript's own order puts surrogate pairs before U+E000. */
export function compareStrings(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let at = 0; at < length; at++) {
    const a = left.charCodeAt(at);
    const b = right.charCodeAt(at);
    if (a !== b) return rank(a) - rank(b);
  }
  return left.length - right.length;
}

const rank = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);

function arithmetic(operator: Arithmetic, left: RuleValue, right: RuleValue): RuleValue | Failure {
  if (typeof left === 'bigint' && typeof right === 'bigint') return integer(operator, left, right);
  if (typeof left === 'number' && typeof right === 'number') return double(operator, left, right);
  if (operator !== '+') return TYPE;
  if (typeof left === 'string' && typeof right === 'string') return left + right;
  return isList(left) && isList(right) ? [...left, ...right] : TYPE;
}

function integer(operator: Arithmetic, left: bigint, right: bigint): bigint | Failure {
  if (right === 0n && (operator === '/' || operator === '%')) return new Failure('division-by-zero');
  return int64(INTEGER[operator](left, right));
}

const INTEGER: Record<Arithmetic, (left: bigint, right: bigint) => bigint> = {
  '+': (left, right) => left + right,
  '-': (left, right) => left - right,
  '*': (left, right) => left * right,
  '/': (left, right) => left / right,
  '%': (left, right) => left % right,
};

const int64 = (value: bigint): bigint | Failure => (isInt64(value) ? value : new Failure('overflow'));

function double(operator: Arithmetic, left: number, right: number): number | Failure {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return left / right;
    case '%':
      return TYPE;
  }
}

export function negate(value: RuleValue): RuleValue | Failure {
  if (typeof value === 'bigint') return int64(-value);
  return typeof value === 'number' ? -value : TYPE;
}

/** Applies a function of the profile; the receiver of a method is its first argument. */
export function applyFunction(name: RuleFunction, [subject, argument]: readonly RuleValue[]): RuleValue | Failure {
  if (name === 'size') return subject === undefined ? TYPE : sizeOf(subject);
  if (typeof subject !== 'string' || typeof argument !== 'string') return TYPE;
  switch (name) {
    case 'startsWith':
      return subject.startsWith(argument);
    case 'endsWith':
      return subject.endsWith(argument);
    case 'contains':
      return subject.includes(argument);
    case 'semver': {
      const order = compareVersions(subject, argument);
      return order === undefined ? new Failure('version') : BigInt(order);
    }
  }
}

/** Code points of a string, items of a list. */
function sizeOf(value: RuleValue): bigint | Failure {
  if (isList(value)) return BigInt(value.length);
  if (typeof value !== 'string') return TYPE;
  let size = 0;
  for (const _codePoint of value) size += 1;
  return BigInt(size);
}
