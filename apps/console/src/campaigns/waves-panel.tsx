import type { Campaign } from '../api/wire.js';
import { useWords } from '../shell/words.js';
import { waveRows } from './waves.js';

/** The plan, where it stands, and what each step waits for. */
export function WavesPanel({ campaign: { waves, waveUpTo, holdOut } }: { campaign: Campaign }) {
  const { t, count, percent } = useWords();
  return (
    <section className="card">
      <h2>{t('waves.title')}</h2>
      <ol className="plain-list waves">
        {waveRows(waves, waveUpTo).map(({ n, share, state, gate }) => (
          <li key={n} data-state={state} aria-current={state === 'current' ? 'step' : undefined}>
            <strong>{t('waves.upTo', { n, share: percent(share) })}</strong>{' '}
            <span className="state" data-tone={state === 'closed' ? 'quiet' : 'go'}>
              {t(`waves.${state}`)}
            </span>
            {gate != null && (
              <p className="quiet">
                {t('waves.gate', {
                  success: percent(gate.success),
                  minimum: count(gate.minimum),
                  minutes: count(gate.timeoutMinutes),
                })}
              </p>
            )}
            {gate === null && state !== 'open' && waves.length > n && <p className="quiet">{t('waves.byHand')}</p>}
          </li>
        ))}
      </ol>
      {holdOut > 0 && <p className="quiet">{t('waves.holdOut', { share: percent(holdOut / 10_000) })}</p>}
    </section>
  );
}
