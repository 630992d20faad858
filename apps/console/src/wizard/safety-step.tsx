import { Button, NativeSelect, NumberInput, TextInput } from '@mantine/core';
import '@mantine/core/styles/NumberInput.css';
import { useWords } from '../shell/words.js';
import type { StopForm } from './draft-form.js';
import type { StepProps } from './step-props.js';

const STOPS = ['failed', 'lost', 'declined', 'timed-out', 'silent'] as const;

/** What stops it by itself, and when a device counts as lost. */
export function SafetyStep({ form, change, at }: StepProps) {
  const { t } = useWords();
  const set = (n: number, next: Partial<StopForm>) =>
    change({ stops: form.stops.map((each, m) => (m === n ? { ...each, ...next } : each)) });
  return (
    <div className="column">
      <section className="card">
        <h2>{t('settings.stopRules')}</h2>
        <p className="quiet">{t('wizard.stopHint')}</p>
        {form.stops.map((stop, n) => (
          <div key={n} className="fields spaced" role="group" aria-label={t('wizard.stop', { n: n + 1 })}>
            <NativeSelect
              label={t('wizard.stopOn')}
              value={stop.on}
              onChange={(event) => set(n, { on: event.currentTarget.value as StopForm['on'] })}
              data={STOPS.map((value) => ({ value, label: t(`stop.${value}`) }))}
            />
            <NumberInput
              label={t('wizard.stopShare')}
              suffix=" %"
              min={0}
              max={100}
              decimalScale={2}
              value={stop.percent}
              onChange={(value) => set(n, { percent: Number(value) })}
              error={at(`/stopRules/${n}/share`)}
            />
            <NumberInput
              label={t('wizard.stopMinimum')}
              min={0}
              value={stop.minimum}
              onChange={(value) => set(n, { minimum: Number(value) })}
              error={at(`/stopRules/${n}/minimum`)}
            />
            <Button
              variant="default"
              onClick={() => change({ stops: form.stops.filter((_, m) => m !== n) })}
              aria-label={t('wizard.removeStop', { n: n + 1 })}
            >
              {t('wizard.remove')}
            </Button>
          </div>
        ))}
        <Button
          variant="default"
          mt="sm"
          onClick={() => change({ stops: [...form.stops, { on: 'lost', percent: 10, minimum: 20 }] })}
        >
          {t('wizard.addStop')}
        </Button>
      </section>
      <section className="card">
        <h2>{t('wizard.timeouts')}</h2>
        <div className="fields">
          {(['transferMinutes', 'confirmMinutes'] as const).map((field) => (
            <TextInput
              key={field}
              label={t(field === 'transferMinutes' ? 'settings.transferTimeout' : 'settings.confirmTimeout')}
              description={t('wizard.minutesHint')}
              inputMode="numeric"
              value={form[field]}
              onChange={(event) => change({ [field]: event.currentTarget.value.replace(/\D/g, '') })}
              error={at(`/timeouts/${field}`)}
            />
          ))}
          <TextInput
            label={t('settings.conflictGroup')}
            description={t('wizard.groupHint')}
            value={form.conflictGroup}
            onChange={(event) => change({ conflictGroup: event.currentTarget.value })}
            error={at('/conflictGroup')}
          />
        </div>
      </section>
    </div>
  );
}
