import { Button, NativeSelect, NumberInput, TextInput } from '@mantine/core';
import '@mantine/core/styles/NumberInput.css';
import { fromLocalInput, toLocalInput } from '../shell/format.js';
import { useWords } from '../shell/words.js';
import { newWave, type WaveForm } from './draft-form.js';
import { WindowsField } from './windows-field.js';
import type { StepProps } from './step-props.js';

const CLASSES = ['background', 'normal', 'urgent'] as const;
const CAPS = ['transfers', 'bytesPerSecond', 'bytesPerDay'] as const;

/** When, how fast, and in which order. */
export function PaceStep({ form, change, at }: StepProps) {
  const { t } = useWords();
  return (
    <div className="column">
      <section className="card">
        <h2>{t('wizard.when')}</h2>
        <div className="fields">
          <Moment
            label={t('settings.start')}
            hint={t('wizard.startHint')}
            value={form.start}
            onChange={(start) => change({ start })}
          />
          <Moment
            label={t('settings.end')}
            hint={t('wizard.endHint')}
            value={form.end}
            onChange={(end) => change({ end })}
          />
        </div>
        <WindowsField windows={form.windows} onChange={(windows) => change({ windows })} />
      </section>
      <section className="card">
        <h2>{t('waves.title')}</h2>
        <p className="quiet">{t('wizard.wavesHint')}</p>
        <ol className="plain-list waves">
          {form.waves.map((wave, n) => (
            <Wave
              key={n}
              n={n + 1}
              wave={wave}
              isLast={n === form.waves.length - 1}
              onChange={(next) =>
                change({ waves: form.waves.map((each, m) => (m === n ? { ...each, ...next } : each)) })
              }
              onRemove={() => change({ waves: form.waves.filter((_, m) => m !== n) })}
            />
          ))}
        </ol>
        {form.waves.length === 0 ? (
          <Button variant="default" mt="sm" onClick={() => change({ waves: [newWave(1), newWave(25), newWave(100)] })}>
            {t('wizard.addWaves')}
          </Button>
        ) : (
          <Button variant="default" mt="sm" onClick={() => change({ waves: [...form.waves, newWave(100)] })}>
            {t('wizard.addWave')}
          </Button>
        )}
        <div className="fields spaced">
          <NumberInput
            label={t('wizard.holdOut')}
            description={t('wizard.holdOutHint')}
            suffix=" %"
            min={0}
            max={50}
            value={form.holdOutPercent}
            onChange={(value) => change({ holdOutPercent: Number(value) })}
            error={at('/holdOut')}
          />
        </div>
      </section>
      <section className="card">
        <h2>{t('wizard.caps')}</h2>
        <div className="fields">
          {CAPS.map((cap) => (
            <TextInput
              key={cap}
              label={t(`caps.${cap}`)}
              placeholder={t('caps.none')}
              inputMode="numeric"
              value={form[cap]}
              onChange={(event) => change({ [cap]: event.currentTarget.value.replace(/\D/g, '') })}
              error={at(`/caps/${cap}`)}
            />
          ))}
        </div>
      </section>
      <section className="card">
        <h2>{t('wizard.order')}</h2>
        <div className="fields">
          <NativeSelect
            label={t('wizard.class')}
            value={form.class}
            onChange={(event) => change({ class: event.currentTarget.value as (typeof CLASSES)[number] })}
            data={CLASSES.map((value) => ({ value, label: t(`class.${value}`) }))}
          />
          <NumberInput
            label={t('settings.priority')}
            min={0}
            max={1_000}
            value={form.priority}
            onChange={(value) => change({ priority: Number(value) })}
            error={at('/priority')}
          />
        </div>
      </section>
    </div>
  );
}

interface MomentProps {
  label: string;
  hint: string;
  value: string;
  onChange: (at: string) => void;
}

function Moment({ label, hint, value, onChange }: MomentProps) {
  return (
    <label className="native-field">
      <span>{label}</span>
      <input
        type="datetime-local"
        value={value === '' ? '' : toLocalInput(Date.parse(value)).slice(0, 16)}
        onChange={(event) => onChange(fromLocalInput(event.currentTarget.value) ?? '')}
      />
      <span className="quiet">{hint}</span>
    </label>
  );
}

interface WaveProps {
  n: number;
  wave: WaveForm;
  isLast: boolean;
  onChange: (change: Partial<WaveForm>) => void;
  onRemove: () => void;
}

function Wave({ n, wave, isLast, onChange, onRemove }: WaveProps) {
  const { t } = useWords();
  return (
    <li className="fields">
      <NumberInput
        label={t('wizard.wave', { n })}
        suffix=" %"
        min={0.01}
        max={100}
        decimalScale={2}
        value={wave.percent}
        onChange={(value) => onChange({ percent: Number(value) })}
      />
      {!isLast && (
        <NativeSelect
          label={t('wizard.then')}
          value={wave.then}
          onChange={(event) => onChange({ then: event.currentTarget.value === 'gate' ? 'gate' : 'person' })}
          data={[
            { value: 'gate', label: t('wizard.byGate') },
            { value: 'person', label: t('wizard.byPerson') },
          ]}
        />
      )}
      {!isLast && wave.then === 'gate' && (
        <>
          <NumberInput
            label={t('wizard.success')}
            suffix=" %"
            min={0}
            max={100}
            value={wave.success}
            onChange={(value) => onChange({ success: Number(value) })}
          />
          <NumberInput
            label={t('wizard.minimum')}
            min={1}
            value={wave.minimum}
            onChange={(value) => onChange({ minimum: Number(value) })}
          />
          <NumberInput
            label={t('wizard.timeout')}
            min={1}
            value={wave.timeoutMinutes}
            onChange={(value) => onChange({ timeoutMinutes: Number(value) })}
          />
        </>
      )}
      <Button variant="default" onClick={onRemove} aria-label={t('wizard.removeWave', { n })}>
        {t('wizard.remove')}
      </Button>
    </li>
  );
}
