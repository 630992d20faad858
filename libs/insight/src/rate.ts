import { instant } from '#runtime/index.js';
import { InsightError } from './errors.js';

/** Milliseconds since 1970, both ends included. */
export interface Range {
  from: number;
  to: number;
}

const STEPS = ['matched', 'requested', 'transferred', 'installed', 'confirmed'] as const;
type Counts = Record<(typeof STEPS)[number], number>;

/** A minute, 5, 15, an hour, 6 hours, a day, a week: what people read off an axis. */
const WIDTHS = [60, 300, 900, 3_600, 21_600, 86_400, 604_800];

/** The last point of a range, counted from 1970 in steps; so that two questions about overlapping ranges agree. */
const bucketOf = (at: number, stepSeconds: number): number => Math.floor(at / 1_000 / stepSeconds);

/**
 * The smallest width by which the range needs no more points than wanted.
 * @throws InsightError `rate.range` when it ends before it begins, or no width is enough
 */
export function stepFor(range: Range, points: number): number {
  const found = WIDTHS.find((width) => bucketOf(range.to, width) - bucketOf(range.from, width) + 1 <= points);
  if (range.to >= range.from && found !== undefined) return found;
  throw new InsightError('rate.range', {}, 'a range that begins before it ends, in weeks no longer than `points`', [
    { pointer: '/to', message: 'must not be before `from`, nor more weeks after it than `points`' },
  ]);
}

/** One point after the other, also where nothing happened: a line between two distant ones would say that something did. */
export function bucketsOf(
  { from, to }: Range,
  stepSeconds: number,
  rows: readonly { bucket: number; step: string; count: number }[],
): (Counts & { at: string })[] {
  const first = bucketOf(from, stepSeconds);
  const counts = Array.from({ length: bucketOf(to, stepSeconds) - first + 1 }, (_, n) => ({
    at: instant((first + n) * stepSeconds * 1_000),
    ...(Object.fromEntries(STEPS.map((step) => [step, 0])) as Counts),
  }));
  for (const { bucket, step, count } of rows) {
    const point = counts[bucket - first];
    if (point !== undefined) point[step as keyof Counts] = count;
  }
  return counts;
}
