import type { Funnel } from '../api/wire.js';
import { STEPS, type StepName } from './funnel.js';

/** How far the funnel was at a moment, ms. */
export interface Sample {
  at: number;
  funnel: Funnel;
}

/** So many samples are kept; older ones go. */
const MOST = 600;

/** Adds what is new; the same numbers again are the end of a flat line, not a new point. */
export function withSample(samples: readonly Sample[], sample: Sample): readonly Sample[] {
  const [last, before] = [samples.at(-1), samples.at(-2)];
  const isSame = (other: Sample | undefined) =>
    other !== undefined && STEPS.every((step) => other.funnel[step] === sample.funnel[step]);
  const kept = isSame(last) && isSame(before) ? samples.slice(0, -1) : samples;
  return [...kept, sample].slice(-MOST);
}

/** Seconds, and a line a step: what uPlot draws. */
export const linesOf = (samples: readonly Sample[], steps: readonly StepName[]): [number[], ...number[][]] => [
  samples.map(({ at }) => at / 1_000),
  ...steps.map((step) => samples.map(({ funnel }) => funnel[step])),
];
