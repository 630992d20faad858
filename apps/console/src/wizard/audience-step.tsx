import { NativeSelect } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { channelsQuery } from '../api/queries.js';
import { RuleCheck } from '../rules/rule-check.js';
import { RuleField } from '../rules/rule-field.js';
import { useWords } from '../shell/words.js';
import type { StepProps } from './step-props.js';

const MODES = ['device', 'server', 'either'] as const;

/** Whom it is for, and who compares. */
export function AudienceStep({ form, change, at }: StepProps) {
  const { t } = useWords();
  const channels = useQuery(channelsQuery).data?.items ?? [];
  return (
    <div className="column">
      <section className="card">
        <NativeSelect
          label={t('settings.channel')}
          description={t('wizard.channelHint')}
          value={form.channel}
          onChange={(event) => change({ channel: event.currentTarget.value })}
          data={[...new Set([form.channel, ...channels.map(({ channel }) => channel)])]}
          error={at('/channel')}
        />
      </section>
      <section className="card">
        <RuleField
          label={t('settings.selector')}
          hint={t('wizard.selectorHint')}
          value={form.selector}
          onChange={(selector) => change({ selector })}
          error={at('/selector')}
        />
        <RuleCheck selector={form.selector} channel={form.channel} mode={form.mode} contents={form.contents} />
      </section>
      <fieldset className="card">
        <legend>{t('settings.mode')}</legend>
        <div className="picks">
          {MODES.map((mode) => (
            <label key={mode}>
              <input type="radio" name="mode" checked={form.mode === mode} onChange={() => change({ mode })} />
              <span>
                {t(`mode.${mode}`)} <span className="quiet">{t(`mode.hint.${mode}`)}</span>
              </span>
            </label>
          ))}
        </div>
      </fieldset>
    </div>
  );
}
