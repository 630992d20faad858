import { useWords } from '../shell/words.js';

interface MatchBarsProps {
  fits: number | null;
  doesNotFit: number | null;
  unknown: number | null;
}

/** Who fits, who does not, of whom nothing is known; or that it cannot be known here. */
export function MatchBars(matches: MatchBarsProps) {
  const { t, count } = useWords();
  const widest = Math.max(1, matches.fits ?? 0, matches.doesNotFit ?? 0, matches.unknown ?? 0);
  return (
    <table className="table">
      <caption className="visually-hidden">{t('dry.matches')}</caption>
      <tbody>
        {(['fits', 'doesNotFit', 'unknown'] as const).map((name) => {
          const value = matches[name];
          return (
            <tr key={name}>
              <th scope="row">{t(`dry.${name}`)}</th>
              <td className="number" translate={value === null ? undefined : 'no'}>
                {value === null ? t('dry.notKnowable') : count(value)}
              </td>
              <td>
                <svg className="funnel-bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
                  <rect width={100} height={6} className="ground" />
                  <rect width={((value ?? 0) / widest) * 100} height={6} className="share" />
                </svg>
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
