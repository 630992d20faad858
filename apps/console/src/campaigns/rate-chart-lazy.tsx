import { lazy, Suspense } from 'react';
import type { Funnel } from '../api/wire.js';

const Chart = lazy(() => import('./rate-chart.js').then((module) => ({ default: module.RateChart })));

/** The chart and its library come when a campaign is opened. */
export function RateChart({ funnel }: { funnel: Funnel | undefined }) {
  return (
    <Suspense>
      <Chart funnel={funnel} />
    </Suspense>
  );
}
