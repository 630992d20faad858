import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextStretch } from './intervals.js';

const INTERVAL_MS = 600_000;
const STEP_MS = 10_000;

/** A fleet that would need `demand` of the process by the operator's interval, and hears of a new one when it polls next. */
function loadsOf(demand: number, hours: number): number[] {
  const stretches: number[] = [1];
  const loads: number[] = [];
  for (let ms = 0; ms < hours * 3_600_000; ms += STEP_MS) {
    const heard = stretches[Math.max(0, stretches.length - 1 - INTERVAL_MS / STEP_MS)]!;
    const utilisation = Math.min(1, demand / heard);
    loads.push(utilisation);
    stretches.push(nextStretch(stretches.at(-1)!, { utilisation, elapsedMs: STEP_MS, intervalMs: INTERVAL_MS }));
  }
  return loads;
}

describe('the interval that the server asks for', () => {
  it('is the operator’s while the process is not busy', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.8, noNaN: true }), (utilisation) => {
        expect(nextStretch(1, { utilisation, elapsedMs: STEP_MS, intervalMs: INTERVAL_MS })).toBe(1);
      }),
    );
  });

  it.each([0.5, 0.9, 1.5, 4, 10])('settles a fleet that would need %s of the process', (demand) => {
    const settled = loadsOf(demand, 12).slice(-3 * 360);
    const mean = settled.reduce((sum, load) => sum + load, 0) / settled.length;
    expect(mean).toBeCloseTo(Math.min(demand, 0.8), 1);
    expect(Math.max(...settled)).toBeLessThanOrEqual(0.9);
  });

  it('comes back to the operator’s when the fleet is smaller, and is never shorter or 16 times longer', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 200 }), (loads) => {
        const load = { elapsedMs: STEP_MS, intervalMs: 30_000 };
        let stretch = 1;
        for (const utilisation of loads) stretch = nextStretch(stretch, { utilisation, ...load });
        expect(stretch).toBeGreaterThanOrEqual(1);
        expect(stretch).toBeLessThanOrEqual(16);
        for (let i = 0; i < 100; i += 1) stretch = nextStretch(stretch, { utilisation: 0.1, ...load });
        expect(stretch).toBeCloseTo(1, 3);
      }),
    );
  });
});
