import { Checkbox, NumberInput, Radio, Stack } from '@mantine/core';
import type { Campaign } from '../api/wire.js';
import { fromLocalInput, toLocalInput } from '../shell/format.js';
import { useWords } from '../shell/words.js';
import type { ActForm } from './act-form.js';
import type { Verb } from './acts.js';
import '@mantine/core/styles/Checkbox.css';
import '@mantine/core/styles/NumberInput.css';
import '@mantine/core/styles/Radio.css';

interface ChoicesProps {
  verb: Verb;
  campaign: Campaign;
  form: ActForm;
  onChange: (change: Partial<ActForm>) => void;
}

const OUTCOMES = ['failed', 'timed-out', 'silent', 'declined'] as const;

/** How the act is meant, where it can be meant in two ways. */
export function ActChoices({ verb, campaign, form, onChange }: ChoicesProps) {
  const { t } = useWords();
  switch (verb) {
    case 'pause':
      return (
        <Radio.Group label={t('choice.pause')} value={form.kind} onChange={(kind) => onChange({ kind: kind })}>
          <Stack gap="xs" mt="xs">
            <Radio value="soft" label={t('choice.soft')} />
            <Radio value="hard" label={t('choice.hard')} />
          </Stack>
        </Radio.Group>
      );
    case 'abort':
      return (
        <Radio.Group
          label={t('choice.abort')}
          value={form.disposition}
          onChange={(disposition) => onChange({ disposition: disposition })}
        >
          <Stack gap="xs" mt="xs">
            <Radio value="keep" label={t('choice.keep')} />
            <Radio value="recall" label={t('choice.recall')} />
          </Stack>
        </Radio.Group>
      );
    case 'wave':
      return (
        <NumberInput
          label={t('choice.wave')}
          suffix=" %"
          min={campaign.waveUpTo / 100}
          max={100}
          step={5}
          decimalScale={2}
          value={form.waveUpTo / 100}
          onChange={(value) => onChange({ waveUpTo: Math.round(Number(value) * 100) })}
        />
      );
    case 'schedule':
      return (
        <label className="native-field">
          <span>{t('choice.start')}</span>
          <input
            type="datetime-local"
            value={form.start === '' ? '' : toLocalInput(Date.parse(form.start)).slice(0, 16)}
            onChange={(event) => onChange({ start: fromLocalInput(event.currentTarget.value) ?? '' })}
          />
          <span className="quiet">
            {t('choice.startHint', { zone: Intl.DateTimeFormat().resolvedOptions().timeZone })}
          </span>
        </label>
      );
    case 'retry':
      return (
        <Checkbox.Group
          label={t('choice.retry')}
          value={form.outcomes}
          onChange={(outcomes) => onChange({ outcomes: outcomes })}
        >
          <Stack gap="xs" mt="xs">
            {OUTCOMES.map((outcome) => (
              <Checkbox key={outcome} value={outcome} label={t(`outcome.${outcome}`)} />
            ))}
          </Stack>
        </Checkbox.Group>
      );
    default:
      return null;
  }
}
