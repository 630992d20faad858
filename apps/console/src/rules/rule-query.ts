import { formatQuery } from 'react-querybuilder/formatQuery';
import { parseCEL } from 'react-querybuilder/parseCEL';
import type { RuleGroupType, RuleType } from 'react-querybuilder';
import type { AttributeSchema } from '../api/wire.js';

/** What the tenant's schema says of an attribute. */
export interface Attribute {
  name: string;
  type: 'int' | 'double' | 'string' | 'bool' | 'list<string>' | 'list<int>';
  description: string;
}

const TYPES: readonly string[] = ['int', 'double', 'string', 'bool', 'list<string>', 'list<int>'];

export function attributesOf({ attributes }: AttributeSchema): Attribute[] {
  return Object.entries(attributes as Record<string, { type?: string; description?: string }>).map(
    ([name, { type = '', description = '' }]) => ({
      name,
      type: TYPES.includes(type) ? (type as Attribute['type']) : 'string',
      description,
    }),
  );
}

/** Attributes that one condition can ask for: of a list it takes CEL. */
export const isSimple = ({ type }: Attribute): boolean => !type.startsWith('list');

export const OPERATORS = {
  string: ['=', '!=', 'beginsWith', 'endsWith', 'contains', 'in', 'notIn'],
  number: ['=', '!=', '<', '<=', '>', '>='],
  bool: ['='],
} as const;

export const kindOf = ({ type }: Pick<Attribute, 'type'>): keyof typeof OPERATORS =>
  type === 'bool' ? 'bool' : type === 'int' || type === 'double' ? 'number' : 'string';

const EMPTY: RuleGroupType = { combinator: 'and', rules: [] };

/** What was typed becomes what the attribute is: "12" of a text stays a text. */
function typed(group: RuleGroupType, kinds: ReadonlyMap<string, keyof typeof OPERATORS>): RuleGroupType {
  const rules = group.rules.map((rule): RuleGroupType | RuleType => {
    if ('rules' in rule) return typed(rule, kinds);
    const kind = kinds.get(rule.field);
    const value: unknown = rule.value;
    if (kind === 'number') return { ...rule, value: Number(value) };
    if (kind === 'bool') return { ...rule, value: value === true || value === 'true' };
    // What prints CEL escapes quotes and leaves backslashes, so that one before a quote would end the text.
    return typeof value === 'string' ? { ...rule, value: value.replaceAll('\\', '\\\\') } : rule;
  });
  return { ...group, rules };
}

/** The rule as CEL; an empty builder is a rule that fits everybody, which is none. */
export function toCel(group: RuleGroupType, attributes: readonly Attribute[]): string {
  if (group.rules.length === 0) return '';
  const kinds = new Map(attributes.map((attribute) => [`device.${attribute.name}`, kindOf(attribute)]));
  return formatQuery(typed(group, kinds), 'cel');
}

const bare = (cel: string): string => cel.replace(/[\s()]/g, '');

/**
 * The rule as the builder has it; undefined when it says more than that. What the parser cannot read it leaves out without a
 * word, so only what is printed back the same was read.
 */
export function fromCel(cel: string): RuleGroupType | undefined {
  if (cel.trim() === '') return EMPTY;
  // Its types are those of another copy of the same library.
  const group = parseCEL(cel) as unknown as RuleGroupType;
  return bare(formatQuery(group, 'cel')) === bare(cel) ? group : undefined;
}
