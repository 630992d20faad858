import { lazy, Suspense } from 'react';

const Chart = lazy(() => import('./rate-chart.js').then((module) => ({ default: module.RateChart })));

/** The chart and its library come when a campaign is opened. */
export function RateChart(props: { campaignId: string; asOf: string | undefined }) {
  return (
    <Suspense>
      <Chart {...props} />
    </Suspense>
  );
}
