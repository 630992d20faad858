import { useEffect, useState } from 'react';
import { useLive } from '../live/live.js';
import { useWords } from './words.js';

/** Beyond this age the sign says how old what is shown may be. */
const FRESH_MS = 20_000;

export function LiveSign() {
  const { t } = useWords();
  const { status, heardAt } = useLive();
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 5_000);
    return () => clearInterval(timer);
  }, []);
  const age = now - heardAt;
  const text =
    status === 'live' && age > FRESH_MS ? t('live.quiet', { seconds: Math.round(age / 1_000) }) : t(`live.${status}`);
  return (
    <span className="live" data-status={status} title={t('live.hint')}>
      {text}
    </span>
  );
}
