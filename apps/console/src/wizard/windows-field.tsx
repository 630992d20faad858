import { Button } from '@mantine/core';
import type { Window } from '../api/wire.js';
import { useDayNames } from '../campaigns/day-names.js';
import { useWords } from '../shell/words.js';
import { newWindow } from './draft-form.js';

const DAYS = [1, 2, 3, 4, 5, 6, 7] as const;

/** Hours of the week in which devices may ask for it, each in a zone that is named. */
export function WindowsField({ windows, onChange }: { windows: Window[]; onChange: (windows: Window[]) => void }) {
  const { t } = useWords();
  const set = (n: number, change: Partial<Window>) =>
    onChange(windows.map((each, m) => (m === n ? { ...each, ...change } : each)));
  return (
    <fieldset className="rule-field spaced">
      <legend>{t('settings.windows')}</legend>
      {windows.length === 0 && <p className="quiet">{t('settings.always')}</p>}
      {windows.map((window, n) => (
        <OneWindow
          key={n}
          n={n + 1}
          window={window}
          onChange={(change) => set(n, change)}
          onRemove={() => onChange(windows.filter((_, m) => m !== n))}
        />
      ))}
      <Button variant="default" onClick={() => onChange([...windows, newWindow()])}>
        {t('wizard.addWindow')}
      </Button>
    </fieldset>
  );
}

interface OneWindowProps {
  n: number;
  window: Window;
  onChange: (change: Partial<Window>) => void;
  onRemove: () => void;
}

function OneWindow({ n, window: { days, from, to, zone }, onChange, onRemove }: OneWindowProps) {
  const { t } = useWords();
  const dayName = useDayNames();
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const zones = [...new Set(['device', zone, own, 'UTC'])];
  return (
    <div className="fields spaced" role="group" aria-label={t('wizard.window', { n })}>
      <div className="choice">
        {DAYS.map((day) => (
          <label key={day}>
            <input
              type="checkbox"
              checked={days.includes(day)}
              onChange={({ currentTarget: { checked } }) =>
                onChange({ days: checked ? [...days, day].sort((a, b) => a - b) : days.filter((each) => each !== day) })
              }
            />
            {dayName(day)}
          </label>
        ))}
      </div>
      <label className="native-field">
        <span>{t('wizard.from')}</span>
        <input type="time" value={from} onChange={(event) => onChange({ from: event.currentTarget.value })} />
      </label>
      <label className="native-field">
        <span>{t('wizard.to')}</span>
        <input type="time" value={to} onChange={(event) => onChange({ to: event.currentTarget.value })} />
      </label>
      <label className="native-field">
        <span>{t('wizard.zone')}</span>
        <select value={zone} onChange={(event) => onChange({ zone: event.currentTarget.value })}>
          {zones.map((each) => (
            <option key={each} value={each}>
              {each === 'device' ? t('settings.deviceZone') : each}
            </option>
          ))}
        </select>
      </label>
      <Button variant="default" onClick={onRemove} aria-label={t('wizard.removeWindow', { n })}>
        {t('wizard.remove')}
      </Button>
    </div>
  );
}
