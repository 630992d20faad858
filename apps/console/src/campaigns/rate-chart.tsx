import 'uplot/dist/uPlot.min.css';
import { useEffect, useRef, useState } from 'react';
import uPlot from 'uplot';
import type { Funnel } from '../api/wire.js';
import { useWords } from '../shell/words.js';
import { linesOf, type Sample, withSample } from './rates.js';

const SHOWN = ['polled', 'transferred', 'confirmed'] as const;
const STROKES = ['#868e96', '#f08c00', '#4263eb'] as const;
/** Below so many there is no line to draw. */
const ENOUGH = 2;

/** How the funnel moves while it is watched; nothing is asked for it that the page does not ask anyway. */
export function RateChart({ funnel }: { funnel: Funnel | undefined }) {
  const { t, count, moment } = useWords();
  const [samples, setSamples] = useState<readonly Sample[]>([]);
  const [isTable, setTable] = useState(false);
  useEffect(() => {
    if (funnel !== undefined) setSamples((old) => withSample(old, { at: Date.now(), funnel }));
  }, [funnel]);
  if (samples.length < ENOUGH) return null;
  return (
    <section className="card">
      <div className="card-head">
        <h2>{t('rate.title')}</h2>
        <button type="button" className="link-button" aria-pressed={isTable} onClick={() => setTable(!isTable)}>
          {t('rate.asTable')}
        </button>
      </div>
      {isTable ? (
        <table className="table">
          <thead>
            <tr>
              <th scope="col">{t('rate.at')}</th>
              {SHOWN.map((step) => (
                <th key={step} scope="col" className="number">
                  {t(`funnel.steps.${step}`)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {samples.slice(-20).map(({ at, funnel: then }) => (
              <tr key={at}>
                <td translate="no">{moment(at)}</td>
                {SHOWN.map((step) => (
                  <td key={step} className="number" translate="no">
                    {count(then[step])}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      ) : (
        <Plot samples={samples} labels={SHOWN.map((step) => t(`funnel.steps.${step}`))} />
      )}
    </section>
  );
}

function Plot({ samples, labels }: { samples: readonly Sample[]; labels: readonly string[] }) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const names = labels.join();
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const ink = getComputedStyle(element).getPropertyValue('--quiet');
    const grid = { stroke: getComputedStyle(element).getPropertyValue('--line'), width: 1 };
    const made = new uPlot(
      {
        width: element.clientWidth,
        height: 180,
        axes: [
          { stroke: ink, grid },
          { stroke: ink, grid, size: 60 },
        ],
        series: [{}, ...names.split(',').map((label, n) => ({ label, stroke: STROKES[n], width: 2 }))],
      },
      linesOf(samples, SHOWN),
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: 180 }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
    // Made once a language; what comes later is given to it below.
  }, [names]);
  useEffect(() => plot.current?.setData(linesOf(samples, SHOWN)), [samples]);
  return <div ref={box} className="plot" translate="no" />;
}
