import { describe, expect, it } from 'vitest';
import { judge, leastOf, slopeOf } from './figures.js';

const measured = (contender: string, size: number, seconds: number) => ({
  contender,
  size,
  cost: { count: 1_000, seconds },
});

describe('figures of a bench', () => {
  it('are the least of all rounds, in microseconds an operation', () => {
    const least = leastOf([measured('a', 10, 0.003), measured('a', 10, 0.002), measured('a', 100, 0.02)]);
    expect([...least.get('a')!]).toEqual([
      [10, 2],
      [100, 20],
    ]);
  });

  it.each([
    ['a cost that does not grow', 0, (size: number) => 7 + 0 * size],
    ['a cost that grows as the size does', 1, (size: number) => 3 * size],
    ['a cost that grows with the square', 2, (size: number) => size * size],
  ])('have the slope of %s', (_, slope, cost) => {
    expect(slopeOf(new Map([1, 4, 32, 512].map((size) => [size, cost(size)])))).toBeCloseTo(slope, 10);
  });

  it('are judged by cost or by rate, at each size that both have', () => {
    const least = leastOf([
      measured('ours', 10, 0.004),
      measured('ours', 100, 0.04),
      measured('bare', 10, 0.002),
      measured('bare', 100, 0.01),
      measured('bare', 1_000, 0.1),
    ]);
    const byCost = judge(least, [{ of: 'ours', against: 'bare', costsAtMost: 2.5 }]);
    expect(byCost.map(({ size, ratio, isMet }) => [size, ratio, isMet])).toEqual([
      [10, 2, true],
      [100, 4, false],
    ]);
    const byRate = judge(least, [{ of: 'ours', against: 'bare', runsAtLeast: 0.5, fromSize: 50 }]);
    expect(byRate.map(({ size, ratio, isMet }) => [size, ratio, isMet])).toEqual([[100, 0.25, false]]);
  });

  it('refuse a goal about a contender that did not run', () => {
    expect(() => judge(leastOf([]), [{ of: 'ours', against: 'bare', costsAtMost: 1 }])).toThrow('no such contender');
  });
});
