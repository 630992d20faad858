import { Textarea } from '@mantine/core';
import { lazy, Suspense, useId, useState } from 'react';
import { Waiting } from '../shell/panels.js';
import { useWords } from '../shell/words.js';

const RuleBuilder = lazy(() => import('./rule-builder.js').then((module) => ({ default: module.RuleBuilder })));

const FORMS = ['builder', 'cel', 'json'] as const;
type Form = (typeof FORMS)[number];

interface RuleFieldProps {
  label: string;
  hint?: string;
  value: string;
  onChange: (cel: string) => void;
  error?: string;
}

/** One rule in three forms that are kept in step: built, as CEL, and as JSON. CEL is what is sent. */
export function RuleField({ label, hint, value, onChange, error }: RuleFieldProps) {
  const { t } = useWords();
  const [form, setForm] = useState<Form>('builder');
  const name = useId();
  return (
    <fieldset className="rule-field">
      <legend>{label}</legend>
      {hint !== undefined && <p className="quiet">{hint}</p>}
      <div className="choice" role="radiogroup" aria-label={t('rule.form')}>
        {FORMS.map((each) => (
          <label key={each}>
            <input type="radio" name={name} checked={form === each} onChange={() => setForm(each)} />
            {t(`rule.${each}`)}
          </label>
        ))}
      </div>
      {form === 'cel' ? (
        <Textarea
          aria-label={t('rule.cel')}
          placeholder={'device.os.startsWith("harmony") && device.memoryFree > 1000000'}
          autosize
          minRows={2}
          spellCheck={false}
          value={value}
          onChange={(event) => onChange(event.currentTarget.value)}
          error={error}
        />
      ) : (
        <Suspense fallback={<Waiting />}>
          <RuleBuilder cel={value} onChange={onChange} isJson={form === 'json'} />
        </Suspense>
      )}
      {error !== undefined && form !== 'cel' && (
        <p className="failed-count" role="alert" translate="no">
          {error}
        </p>
      )}
      {form === 'builder' && value !== '' && (
        <p className="quiet">
          {t('rule.cel')}:{' '}
          <code className="mono" translate="no">
            {value}
          </code>
        </p>
      )}
    </fieldset>
  );
}
