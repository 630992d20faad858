import { expect, it } from 'vitest';
import { linesOf, type RatePoint } from './rates.js';

it('draws a line a step over the seconds', () => {
  const point = (at: string, confirmed: number): RatePoint => ({
    ...{ at, matched: 9, requested: 8, transferred: 7, installed: 6, confirmed },
  });
  expect(linesOf([point('1970-01-01T00:00:01Z', 1), point('1970-01-01T00:01:01Z', 3)])).toEqual([
    ...[
      [1, 61],
      [7, 7],
      [6, 6],
      [1, 3],
    ],
  ]);
});
