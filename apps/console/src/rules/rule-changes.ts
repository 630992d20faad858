import { formatQuery } from 'react-querybuilder/formatQuery';
import { fromCel } from './rule-query.js';

export interface RuleChange {
  kind: 'added' | 'removed';
  condition: string;
}

/** What must all hold, one by one, where the builder can tell; else the rule as a whole. */
function conditionsOf(cel: string): string[] {
  if (cel.trim() === '' || cel.trim() === 'true') return [];
  const group = fromCel(cel);
  if (group === undefined || group.combinator !== 'and') return [cel.trim()];
  return group.rules.map((rule) => formatQuery({ combinator: 'and', rules: [rule] }, 'cel'));
}

/** What one rule asks that the other does not. */
export function ruleChanges(from: string, to: string): RuleChange[] {
  const [before, after] = [conditionsOf(from), conditionsOf(to)];
  return [
    ...before.filter((each) => !after.includes(each)).map((condition) => ({ kind: 'removed' as const, condition })),
    ...after.filter((each) => !before.includes(each)).map((condition) => ({ kind: 'added' as const, condition })),
  ];
}
