import type { Comparison, RuleNode } from './rule-node.js';
import { packVersion } from './semver.js';

/**
 * A rule as alternatives of conditions that an index can look up. A rule is true exactly when one of its alternatives is:
 * true absorbs in `||` and false in `&&`, over unknown and error, so "is true" and "is false" go down the tree as two-valued
 * questions, and only leaves know of a third answer.
 */
export interface Alternative {
  /** At most one a column; all must hold. */
  terms: ReadonlyMap<string, Term>;
  /** The terms are necessary and not sufficient: what passes them has to be evaluated. */
  isPartial: boolean;
}

/**
 * What one column says. A column is an attribute's value (`=name`), its rank as a version (`~name`) or the items of a list
 * (`@name`, and `@name#2` for the second item that a rule asks for). All terms but `missing` are false where the attribute is missing.
 */
export type Term =
  | { kind: 'missing' }
  | { kind: 'present' }
  | { kind: 'one-of' | 'none-of'; values: ReadonlySet<Key> }
  /** Both ends belong to it. */
  | { kind: 'between'; least: number; most: number };

/** A value of an attribute, integers as numbers. */
export type Key = string | number | boolean;

/** Alternatives above it are not told apart: the part of the rule that has them is evaluated instead. */
const MOST_ALTERNATIVES = 32;

const ALWAYS: readonly Alternative[] = [{ terms: new Map(), isPartial: false }];
const PERHAPS: readonly Alternative[] = [{ terms: new Map(), isPartial: true }];
const NEVER: readonly Alternative[] = [];

/** @returns no alternative: the rule is never true */
export const alternativesOf = (root: RuleNode): readonly Alternative[] => whenIt('holds', root);

type Asked = 'holds' | 'fails';
const opposite: Record<Asked, Asked> = { holds: 'fails', fails: 'holds' };

function whenIt(is: Asked, node: RuleNode): readonly Alternative[] {
  switch (node.op) {
    case 'and':
    case 'or': {
      const [left, right] = [whenIt(is, node.left), whenIt(is, node.right)];
      return (node.op === 'and') === (is === 'holds') ? both(left, right) : either(left, right);
    }
    case 'not':
      return whenIt(opposite[is], node.operand);
    case 'if': {
      const then = both(whenIt('holds', node.condition), whenIt(is, node.then));
      return either(then, both(whenIt('fails', node.condition), whenIt(is, node.otherwise)));
    }
    case 'literal':
      return node.value === (is === 'holds') ? ALWAYS : NEVER;
    default:
      return leaf(node, is);
  }
}

function either(left: readonly Alternative[], right: readonly Alternative[]): readonly Alternative[] {
  return left.length + right.length > MOST_ALTERNATIVES ? PERHAPS : [...left, ...right];
}

function both(left: readonly Alternative[], right: readonly Alternative[]): readonly Alternative[] {
  if (left.length * right.length <= MOST_ALTERNATIVES)
    return left.flatMap((a) => right.flatMap((b) => joined(a, b) ?? []));
  // What both sides would multiply to is evaluated; the terms of the shorter still keep most devices away.
  const kept = left.length <= right.length ? left : right;
  return kept.map(({ terms }) => ({ terms, isPartial: true }));
}

/** @returns undefined when the two exclude each other */
function joined(a: Alternative, b: Alternative): Alternative | undefined {
  const terms = new Map(a.terms);
  let isPartial = a.isPartial || b.isPartial;
  for (const [column, term] of b.terms) {
    if (column.startsWith(ITEMS)) {
      const place = placeBeside(terms, column); // a list may have both
      if (place === undefined) isPartial = true;
      else terms.set(place, term);
      continue;
    }
    const other = terms.get(column);
    const met = other === undefined ? { term } : meet(other, term);
    if (met === undefined) return undefined;
    terms.set(column, met.term);
    isPartial ||= met.isPartial === true;
  }
  return { terms, isPartial };
}

/** One term for two of a column; undefined when none can satisfy both. */
function meet(a: Term, b: Term): { term: Term; isPartial?: boolean } | undefined {
  if (a.kind === 'missing' || b.kind === 'missing') return a.kind === b.kind ? { term: a } : undefined;
  if (a.kind === 'present') return { term: b };
  if (b.kind === 'present') return { term: a };
  return meetValues(a, b);
}

type ValueTerm = Exclude<Term, { kind: 'missing' | 'present' }>;

function meetValues(a: ValueTerm, b: ValueTerm): { term: Term; isPartial?: boolean } | undefined {
  if (a.kind === 'one-of') return filtered(a.values, (value) => admits(b, value));
  if (b.kind === 'one-of') return filtered(b.values, (value) => admits(a, value));
  if (a.kind === 'none-of' && b.kind === 'none-of')
    return { term: { kind: 'none-of', values: new Set([...a.values, ...b.values]) } };
  if (a.kind !== 'between' || b.kind !== 'between') return { term: a.kind === 'between' ? a : b, isPartial: true };
  const [least, most] = [Math.max(a.least, b.least), Math.min(a.most, b.most)];
  return least <= most ? { term: { kind: 'between', least, most } } : undefined;
}

function filtered(values: ReadonlySet<Key>, keep: (value: Key) => boolean): { term: Term } | undefined {
  const kept = [...values].filter(keep);
  return kept.length === 0 ? undefined : { term: { kind: 'one-of', values: new Set(kept) } };
}

function admits(term: Term, value: Key): boolean {
  switch (term.kind) {
    case 'one-of':
      return term.values.has(value);
    case 'none-of':
      return !term.values.has(value);
    case 'between':
      return typeof value === 'number' && term.least <= value && value <= term.most;
    default:
      return term.kind === 'present';
  }
}

export const [VALUE, VERSION, ITEMS] = ['=', '~', '@'] as const;
const AGAIN = '#';

export const attributeOf = (column: string): string => column.slice(1).split(AGAIN)[0]!;

/** Rules ask for one item of a list, and some for two; a third is worth no column that every look-up goes through. */
function placeBeside(terms: ReadonlyMap<string, Term>, column: string): string | undefined {
  const name = `${ITEMS}${attributeOf(column)}`;
  return [name, `${name}${AGAIN}2`].find((place) => !terms.has(place));
}

const only = (column: string, term: Term): readonly Alternative[] => [
  { terms: new Map([[column, term]]), isPartial: false },
];

/** A condition without logic. What no column can say has to be evaluated. */
function leaf(node: RuleNode, is: Asked): readonly Alternative[] {
  if (node.op === 'has') return only(`${VALUE}${node.name}`, { kind: is === 'holds' ? 'present' : 'missing' });
  if (node.op === 'attribute') return only(`${VALUE}${node.name}`, oneOf([is === 'holds']));
  if (node.op !== 'binary') return PERHAPS;
  const { operator, left, right } = node;
  if (operator === 'in') return membership(left, right, is);
  if (operator === '==' || operator === '!=') return equality(left, right, (operator === '==') === (is === 'holds'));
  return isComparison(operator) ? comparison(left, right, is === 'holds' ? operator : INVERSE[operator]) : PERHAPS;
}

const oneOf = (values: readonly Key[]): Term => ({ kind: 'one-of', values: new Set(values) });
const noneOf = (values: readonly Key[]): Term => ({ kind: 'none-of', values: new Set(values) });

function equality(left: RuleNode, right: RuleNode, isEqual: boolean): readonly Alternative[] {
  const pair = attributeAnd(left, right);
  if (pair !== undefined) return only(pair.column, isEqual ? oneOf([pair.key]) : noneOf([pair.key]));
  const version = versionAnd(left, right);
  if (version === undefined || !isEqual) return PERHAPS;
  return only(version.column, { kind: 'between', least: version.rank, most: version.rank });
}

function membership(item: RuleNode, list: RuleNode, is: Asked): readonly Alternative[] {
  if (item.op === 'attribute' && list.op === 'list') {
    const keys = list.items.map(keyOf).filter((key) => key !== undefined);
    if (keys.length < list.items.length) return PERHAPS;
    if (keys.length === 0) return is === 'holds' ? NEVER : PERHAPS;
    return only(`${VALUE}${item.name}`, is === 'holds' ? oneOf(keys) : noneOf(keys));
  }
  const key = keyOf(item);
  if (list.op !== 'attribute' || key === undefined || is === 'fails') return PERHAPS;
  return only(`${ITEMS}${list.name}`, oneOf([key]));
}

const INVERSE: Record<Comparison, Comparison> = { '<': '>=', '<=': '>', '>': '<=', '>=': '<' };
const MIRRORED: Record<Comparison, Comparison> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=' };
const isComparison = (operator: string): operator is Comparison => Object.hasOwn(INVERSE, operator);

function comparison(left: RuleNode, right: RuleNode, operator: Comparison): readonly Alternative[] {
  if (left.op === 'literal') return right.op === 'literal' ? PERHAPS : comparison(right, left, MIRRORED[operator]);
  const pair = attributeAnd(left, right);
  if (typeof pair?.key === 'number') return only(pair.column, side(operator, pair.key));
  const version = versionAnd(left, right);
  return version === undefined ? PERHAPS : only(version.column, side(operator, version.rank));
}

/** All that a double can be on one side of a bound. */
function side(operator: Comparison, bound: number): Term {
  switch (operator) {
    case '<':
      return { kind: 'between', least: -Infinity, most: beside(bound, -1) };
    case '<=':
      return { kind: 'between', least: -Infinity, most: bound };
    case '>':
      return { kind: 'between', least: beside(bound, 1), most: Infinity };
    case '>=':
      return { kind: 'between', least: bound, most: Infinity };
  }
}

const bits = new DataView(new ArrayBuffer(8));

/** The next double in a direction (IEEE 754 `nextUp`, `nextDown`): as integers, doubles of one sign are in their order. */
function beside(value: number, direction: 1 | -1): number {
  if (value === 0) return direction * Number.MIN_VALUE;
  bits.setFloat64(0, value);
  bits.setBigInt64(0, bits.getBigInt64(0) + (value > 0 === direction > 0 ? 1n : -1n));
  return bits.getFloat64(0);
}

function attributeAnd(left: RuleNode, right: RuleNode): { column: string; key: Key } | undefined {
  if (left.op === 'literal') return right.op === 'attribute' ? attributeAnd(right, left) : undefined;
  const key = keyOf(right);
  return left.op === 'attribute' && key !== undefined ? { column: `${VALUE}${left.name}`, key } : undefined;
}

/** `semver(device.name, "1.2.3")` beside 0. */
function versionAnd(left: RuleNode, right: RuleNode): { column: string; rank: number } | undefined {
  if (left.op === 'literal') return right.op === 'call' ? versionAnd(right, left) : undefined;
  if (left.op !== 'call' || left.name !== 'semver' || right.op !== 'literal' || right.value !== 0n) return undefined;
  const [attribute, bound] = left.args;
  if (attribute?.op !== 'attribute' || bound?.op !== 'literal' || typeof bound.value !== 'string') return undefined;
  const packed = packVersion(bound.value);
  if (packed === undefined || packed.isPreRelease) return undefined;
  return { column: `${VERSION}${attribute.name}`, rank: packed.rank };
}

/**
 * A literal as a key; undefined where a double cannot tell it from its neighbours. Beyond 2^53 a device's integer is
 * rounded, which keeps it on its side of every bound that is not beyond itself.
 */
function keyOf(node: RuleNode): Key | undefined {
  if (node.op !== 'literal') return undefined;
  const { value } = node;
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  const number = Number(value);
  return Math.abs(number) < 2 ** 53 ? number : undefined;
}
