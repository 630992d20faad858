import { describe, expect, it } from 'vitest';
import { bucketsOf, stepFor } from './rate.js';

const at = (text: string) => Date.parse(`2026-12-01T${text}Z`);

describe('the rate of a campaign', () => {
  it.each([
    ['08:00:00', '08:59:59', 60, 60],
    ['08:00:00', '09:00:00', 60, 300],
    ['08:00:00', '08:00:00', 1, 60],
    ['00:00:00', '23:59:59', 240, 900],
    ['08:00:59', '08:01:00', 1, 300], // two minutes are touched
  ])('from %s to %s by %i points is by steps of %i seconds', (from, to, points, step) =>
    expect(stepFor({ from: at(from), to: at(to) }, points)).toBe(step),
  );

  it.each([
    ['ends before it begins', { from: 2, to: 1 }, 100],
    ['is too long for so few points', { from: 0, to: 20 * 604_800_000 }, 10],
  ])('is refused for a range that %s: rate.range', (_, range, points) =>
    expect(() => stepFor(range, points)).toThrow(expect.objectContaining({ code: 'rate.range' })),
  );

  it('has a point also where nothing happened', () => {
    const range = { from: at('08:00:30'), to: at('08:02:10') };
    const bucket = at('08:02:00') / 60_000;
    const points = bucketsOf(range, 60, [{ bucket, step: 'installed', count: 7 }]);
    expect(points.map(({ at: when, installed }) => [when, installed])).toEqual([
      ['2026-12-01T08:00:00.000Z', 0],
      ['2026-12-01T08:01:00.000Z', 0],
      ['2026-12-01T08:02:00.000Z', 7],
    ]);
  });
});
