import type { ExplainedOffer } from '../api/wire.js';
import { useWords } from '../shell/words.js';
import { changesOf, type Condition, conditionOf, type Truth } from './condition.js';

type Rule = NonNullable<ExplainedOffer['rule']>;

const SIGNS = { true: '✓', false: '✗', unknown: '?' } as const;

/** A sign and a word for who does not see the sign. */
export function TruthSign({ of }: { of: Truth }) {
  const { t } = useWords();
  const name = String(of) as keyof typeof SIGNS;
  return (
    <span className="truth" data-truth={name}>
      <span aria-hidden="true">{SIGNS[name]}</span>
      <span className="visually-hidden">{t(`truth.${name}`)}</span>
    </span>
  );
}

/** The rule as a tree: each condition with what it came to and what it read. */
export function RuleTree({ rule }: { rule: Rule }) {
  const { t } = useWords();
  const condition = conditionOf(rule.condition);
  const changes = changesOf(rule.wouldMatchIf);
  return (
    <>
      {rule.refused !== undefined && (
        <p className="state" data-tone="bad" translate="no">
          {rule.refused}
        </p>
      )}
      {condition === undefined ? (
        <p>
          <code className="mono" translate="no">
            {rule.selector}
          </code>{' '}
          {rule.because !== undefined && <span className="quiet">{t(`because.${rule.because}`)}</span>}
        </p>
      ) : (
        <ul className="plain-list tree">
          <Part of={condition} />
        </ul>
      )}
      {changes.length > 0 && (
        <p>
          {t('why.wouldMatchIf')}{' '}
          {changes.map(({ condition: text, to }) => (
            <code key={text} className="mono" translate="no">
              {`${text} → ${to} `}
            </code>
          ))}
        </p>
      )}
    </>
  );
}

function Part({ of: { condition, result, because, error, values, parts } }: { of: Condition }) {
  const read = values.map(({ attribute, value }) => `${attribute} = ${JSON.stringify(value)}`);
  return (
    <li>
      <TruthSign of={result} />{' '}
      <code className="mono" translate="no">
        {condition}
      </code>{' '}
      <span className="quiet" translate="no">
        {[...read, because, error].filter(Boolean).join(', ')}
      </span>
      {parts.length > 0 && (
        <ul className="plain-list tree">
          {parts.map((part, n) => (
            <Part key={n} of={part} />
          ))}
        </ul>
      )}
    </li>
  );
}
