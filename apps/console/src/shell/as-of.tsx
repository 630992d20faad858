import { Button } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { fromLocalInput, toLocalInput } from './format.js';
import { useWords } from './words.js';
import { When } from './when.js';

function useAsOfMove(): (asOf: string | undefined) => void {
  const navigate = useNavigate();
  return (asOf) => void navigate({ to: '.', search: (search) => ({ ...search, as_of: asOf }), replace: true });
}

/** Says on every page that it shows the past, and that nothing can be changed there. */
export function AsOfBanner({ asOf }: { asOf: string }) {
  const { t } = useWords();
  const move = useAsOfMove();
  return (
    <div className="past" role="status">
      <strong>{t('past.title')}</strong>
      <When at={asOf} />
      <span>{t('past.readOnly')}</span>
      <Button variant="default" size="compact-sm" onClick={() => move(undefined)}>
        {t('past.now')}
      </Button>
    </div>
  );
}

const STEPS = 500;
const SETTLE_MS = 400;

/** From the first moment that matters to now. It moves the address when it is let go: a past answer is built from the log. */
export function AsOfSlider({ from, asOf }: { from: number; asOf: string | undefined }) {
  const { t, moment } = useWords();
  const move = useAsOfMove();
  const [now] = useState(Date.now);
  const given = asOf === undefined ? now : Date.parse(asOf);
  const [at, setAt] = useState(given);
  useEffect(() => setAt(given), [given]);
  const waiting = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(waiting.current), []);
  // Whoever holds a key down passes by many moments, and means the last.
  const settle = (value: number) => {
    clearTimeout(waiting.current);
    waiting.current = setTimeout(() => move(value >= now ? undefined : new Date(value).toISOString()), SETTLE_MS);
  };
  const step = Math.max(1_000, Math.round((now - from) / STEPS));
  return (
    <div className="as-of">
      <label className="quiet" htmlFor="as-of-range">
        {t('past.slider')}
      </label>
      <input
        id="as-of-range"
        type="range"
        min={from}
        max={now}
        step={step}
        value={at}
        aria-valuetext={at >= now - step ? t('past.isNow') : moment(at)}
        onChange={(event) => setAt(Number(event.currentTarget.value))}
        onPointerUp={() => settle(at >= now - step ? now : at)}
        onKeyUp={() => settle(at >= now - step ? now : at)}
      />
      <input
        type="datetime-local"
        step={1}
        aria-label={t('past.moment')}
        value={toLocalInput(at)}
        onChange={(event) => {
          const chosen = fromLocalInput(event.currentTarget.value);
          if (chosen !== undefined) move(chosen);
        }}
      />
    </div>
  );
}
