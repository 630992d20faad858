import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Course, type Storm, StormSimulation } from './storm-simulation.js';

const AGENTS = 10_000;
const RUNS = Number(process.env.MUSTER_PROPERTY_RUNS ?? 10);

/** Uniform in [0, 1), the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const run = (storm: Omit<Storm, 'agents'>): Course => new StormSimulation({ agents: AGENTS, ...storm }).run();
const times = (course: Course) => ({
  begun: (course.begun / course.steady).toFixed(2),
  served: (course.served / course.steady).toFixed(2),
});

describe(`${AGENTS} agents whose server was away`, () => {
  it.each(['silent', 'refused'] as const)(
    'for a minute, %s, come back at three times the steady rate at most',
    (outage) => {
      const intervalMs = 600_000;
      const course = run({ intervalMs, outageMs: 60_000, outage, random: randomFrom(1) });
      console.log(`storm, simulated, ${outage}: ${JSON.stringify({ ...course, times: times(course) })}`);
      expect(course.steady).toBeCloseTo(AGENTS / 600, 0);
      expect(course.begun).toBeLessThanOrEqual(3 * course.steady);
      expect(course.served).toBeLessThanOrEqual(3 * course.steady);
      expect(course.allServedMs).toBeLessThanOrEqual(2 * intervalMs);
    },
  );

  it('would all be served at once by a server that sends nobody away', () => {
    const storm = { intervalMs: 600_000, outageMs: 60_000, outage: 'silent' as const, random: randomFrom(1) };
    const course = run({ ...storm, isOpen: true });
    expect(course.served).toBeGreaterThan(4 * course.steady);
  });

  it('never come faster than three and a half times the steady rate, chance included, and are all served within two and a half intervals, after any outage', () => {
    fc.assert(
      fc.property(
        fc.record({
          intervalMs: fc.constantFrom(30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000),
          outageMs: fc.integer({ min: 5, max: 900 }).map((seconds) => seconds * 1_000),
          outage: fc.constantFrom('silent' as const, 'refused' as const),
          seed: fc.integer(),
        }),
        ({ seed, ...storm }) => {
          const course = run({ ...storm, random: randomFrom(seed) });
          expect(course.begun / course.steady).toBeLessThanOrEqual(3.5);
          expect(course.served / course.steady).toBeLessThanOrEqual(3.5);
          expect(course.allServedMs).toBeLessThanOrEqual(2.5 * storm.intervalMs);
        },
      ),
      { numRuns: RUNS },
    );
  }, 300_000);
});
