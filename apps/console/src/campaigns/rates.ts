import type { components } from 'openapi-schema';

export type Rate = components['schemas']['RateDto'];
export type RatePoint = components['schemas']['RatePointDto'];

/** What is drawn. */
export const SHOWN = ['transferred', 'installed', 'confirmed'] as const;

/** Seconds, and a line a step: what uPlot draws. */
export const linesOf = (points: readonly RatePoint[]): [number[], ...number[][]] => [
  points.map(({ at }) => Date.parse(at) / 1_000),
  ...SHOWN.map((step) => points.map((point) => point[step])),
];
