import 'uplot/dist/uPlot.min.css';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import uPlot from 'uplot';
import { rateQuery } from '../api/queries.js';
import { clock } from '../shell/format.js';
import { useWords } from '../shell/words.js';
import { linesOf, type RatePoint, SHOWN } from './rates.js';

const STROKES = ['#868e96', '#f08c00', '#4263eb'] as const;
const IN_TABLE = 20;

/** How many came to each step when, since the first did. */
export function RateChart({ campaignId, asOf }: { campaignId: string; asOf: string | undefined }) {
  const { t, count, moment } = useWords();
  const { data } = useQuery(rateQuery(campaignId, asOf));
  const [isTable, setTable] = useState(false);
  if (data === undefined || data.points.length === 0) return null;
  const { points, stepSeconds } = data;
  return (
    <section className="card">
      <div className="card-head">
        <h2>{t('rate.title', { step: clock(stepSeconds * 1_000) })}</h2>
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
            {points.slice(-IN_TABLE).map((point) => (
              <tr key={point.at}>
                <td translate="no">{moment(point.at)}</td>
                {SHOWN.map((step) => (
                  <td key={step} className="number" translate="no">
                    {count(point[step])}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      ) : (
        <Plot points={points} labels={SHOWN.map((step) => t(`funnel.steps.${step}`))} />
      )}
    </section>
  );
}

function Plot({ points, labels }: { points: readonly RatePoint[]; labels: readonly string[] }) {
  const newest = useRef(linesOf(points));
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
      newest.current,
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
  useEffect(() => plot.current?.setData(linesOf(points)), [points]);
  return <div ref={box} className="plot" translate="no" />;
}
