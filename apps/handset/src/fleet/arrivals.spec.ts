import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arrivals, Rates } from './arrivals.js';

describe('arrivals', () => {
  it('come at the rate, whenever and however seldom one looks', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 5_000 }), (perSecond, lookEveryMs) => {
        const arrivals = new Arrivals(Math.random, 0);
        const seen: number[] = [];
        for (let now = 0; now < 60_000; now += lookEveryMs) seen.push(...arrivals.due(now, perSecond));
        const lookedUntil = Math.floor(59_999 / lookEveryMs) * lookEveryMs;
        const expected = (perSecond * lookedUntil) / 1_000;
        expect(Math.abs(seen.length - expected)).toBeLessThan(6 * Math.sqrt(expected) + 3);
        expect(seen).toEqual(seen.toSorted((a, b) => a - b));
        expect(seen.every((at) => at <= lookedUntil)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it('do not make up for a time without any', () => {
    const arrivals = new Arrivals(() => 0.5, 0);
    expect(arrivals.due(60_000, 0)).toEqual([]);
    expect(arrivals.due(60_000, 10)).toHaveLength(1);
  });

  it('take a new rate up at once, for the rest of a gap as well', () => {
    const arrivals = new Arrivals(() => 1 - 1 / Math.E, 0); // each gap as long as the mean
    expect(arrivals.due(0, 0.1)).toEqual([0]);
    expect(arrivals.due(4_000, 1)).toEqual([]);
    expect(arrivals.waitMs(4_000)).toBeCloseTo(600);
    expect(arrivals.due(4_600.1, 0.5)).toHaveLength(1);
    expect(arrivals.waitMs(4_600.1)).toBeCloseTo(2_000, -1);
  });

  it('came at the old rate until the new one was seen', () => {
    const arrivals = new Arrivals(() => 1 - 1 / Math.E, 0);
    arrivals.due(0, 10);
    expect(arrivals.due(1_050, 0.1)).toHaveLength(10);
    expect(arrivals.waitMs(1_050)).toBeCloseTo(5_000);
  });

  it('follow their rates step by step, and what was set since', () => {
    const rates = new Rates([10, 20, 40], 5);
    expect([0, 4_999, 5_000, 10_000, 99_000].map((ms) => rates.at(ms))).toEqual([10, 10, 20, 40, 40]);
    expect(rates.totalMs).toBe(15_000);
    rates.set(7);
    expect(rates.at(0)).toBe(7);
  });
});
