import type { Range } from './rule-range.js';

/** The tree of a checked rule: plain data, ours alone, so that evaluation owes nothing to a parser. */

/** Variables a rule can name: `device` in selectors, `event` too in triggers. */
export type RuleVariable = 'device' | 'event';

export type Comparison = '<' | '<=' | '>' | '>=';
export type Arithmetic = '+' | '-' | '*' | '/' | '%';
export type BinaryOperator = '==' | '!=' | 'in' | '[]' | Comparison | Arithmetic;

export const RULE_FUNCTIONS = ['size', 'startsWith', 'endsWith', 'contains', 'semver'] as const;
export type RuleFunction = (typeof RULE_FUNCTIONS)[number];

/** A node and where it stands in the source: UTF-16 offsets, end exclusive. */
export type RuleNode = Range &
  (
    | { op: 'literal'; value: bigint | number | string | boolean }
    | { op: 'attribute'; variable: RuleVariable; name: string }
    | { op: 'has'; variable: RuleVariable; name: string }
    /** The variable of the enclosing exists or all. */
    | { op: 'local'; name: string }
    | { op: 'and' | 'or'; left: RuleNode; right: RuleNode }
    | { op: 'not'; operand: RuleNode }
    | { op: 'negate'; operand: RuleNode }
    | { op: 'if'; condition: RuleNode; then: RuleNode; otherwise: RuleNode }
    | { op: 'list'; items: readonly RuleNode[] }
    | { op: 'binary'; operator: BinaryOperator; left: RuleNode; right: RuleNode }
    | { op: 'call'; name: RuleFunction; args: readonly RuleNode[] }
    | { op: 'exists' | 'all'; list: RuleNode; local: string; body: RuleNode }
  );
