import 'react-querybuilder/dist/query-builder.css';
import { useQuery } from '@tanstack/react-query';
import { type Field, type Operator, QueryBuilder, type RuleGroupType } from 'react-querybuilder';
import { useState } from 'react';
import { schemaQuery } from '../api/queries.js';
import { Answer } from '../shell/answer.js';
import { Panel } from '../shell/panels.js';
import { useWords } from '../shell/words.js';
import { type Attribute, attributesOf, fromCel, isSimple, kindOf, OPERATORS, toCel } from './rule-query.js';

interface BuilderProps {
  cel: string;
  onChange: (cel: string) => void;
  isJson: boolean;
}

/** Conditions by the tenant's attributes, for whoever writes no CEL. */
export function RuleBuilder(props: BuilderProps) {
  const schema = useQuery(schemaQuery);
  return <Answer of={schema}>{(data) => <Builder {...props} attributes={attributesOf(data)} />}</Answer>;
}

function Builder({ cel, onChange, isJson, attributes }: BuilderProps & { attributes: Attribute[] }) {
  const { t } = useWords();
  const [built, setBuilt] = useState<{ cel: string; group: RuleGroupType | undefined }>(() => ({
    cel,
    group: fromCel(cel),
  }));
  // What was typed as CEL meanwhile is read again; what the builder itself has printed is not, or half a condition would go.
  const group = built.cel === cel ? built.group : fromCel(cel);
  if (attributes.length === 0)
    return (
      <Panel kind="empty" title={t('rule.noSchema')}>
        <p>{t('rule.noSchemaHint')}</p>
      </Panel>
    );
  if (group === undefined) return <p className="quiet">{t('rule.onlyCel')}</p>;
  if (isJson)
    return (
      <pre className="mono json" tabIndex={0} translate="no" aria-label="JSON">
        {JSON.stringify(group, (key, value: unknown) => (key === 'id' || key === 'path' ? undefined : value), 2)}
      </pre>
    );
  const change = (next: RuleGroupType) => {
    const printed = toCel(next, attributes);
    setBuilt({ cel: printed, group: next });
    if (printed !== cel) onChange(printed);
  };
  return (
    <QueryBuilder
      query={group}
      onQueryChange={change}
      fields={attributes.filter(isSimple).map(fieldOf)}
      getOperators={(_, { fieldData }) => operatorsOf(fieldData, (name) => t(`rule.operator.${name}`))}
      getValueEditorType={(_, __, { fieldData }) => (kindNamed(fieldData) === 'bool' ? 'select' : 'text')}
      getValues={(_, __, { fieldData }) =>
        kindNamed(fieldData) === 'bool'
          ? [
              { name: 'true', label: t('rule.true') },
              { name: 'false', label: t('rule.false') },
            ]
          : []
      }
      translations={{
        addRule: { label: t('rule.add'), title: t('rule.add') },
        addGroup: { label: t('rule.addGroup'), title: t('rule.addGroup') },
        removeRule: { label: '✕', title: t('rule.remove') },
        removeGroup: { label: '✕', title: t('rule.removeGroup') },
        fields: { title: t('rule.field') },
        operators: { title: t('rule.operatorTitle') },
        value: { title: t('rule.value') },
        combinators: { title: t('rule.combinator') },
      }}
      combinators={[
        { name: 'and', label: t('rule.and') },
        { name: 'or', label: t('rule.or') },
      ]}
      controlClassnames={{ queryBuilder: 'builder' }}
    />
  );
}

const fieldOf = (attribute: Attribute): Field => ({
  name: `device.${attribute.name}`,
  label: attribute.description === '' ? attribute.name : `${attribute.name} (${attribute.description})`,
  inputType: kindOf(attribute) === 'number' ? 'number' : 'text',
  kind: kindOf(attribute),
});

const kindNamed = (field: Record<string, unknown>): keyof typeof OPERATORS =>
  field.kind === 'bool' || field.kind === 'number' ? field.kind : 'string';

type OperatorName = (typeof OPERATORS)[keyof typeof OPERATORS][number];

const operatorsOf = (field: Record<string, unknown>, textOf: (name: OperatorName) => string): Operator[] =>
  OPERATORS[kindNamed(field)].map((name) => ({ name, value: name, label: textOf(name) }));
