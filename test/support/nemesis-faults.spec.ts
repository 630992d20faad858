import { describe, expect, it } from 'vitest';
import { planOf } from './nemesis-faults.js';

const shown = (seed: number) => planOf(seed, 60).map((faults) => faults.map(({ kind, on }) => `${kind} on ${on}`));

describe('the plan of a seed', () => {
  it('is the same each time, and another for another seed', () => {
    expect(shown(7)).toEqual(shown(7));
    expect(shown(7)).not.toEqual(shown(8));
  });

  it('has one to three faults a round, never two on one thing', () => {
    for (const faults of planOf(7, 500)) {
      expect(faults.length).toBeGreaterThanOrEqual(1);
      expect(faults.length).toBeLessThanOrEqual(3);
      expect(new Set(faults.map(({ on }) => on)).size).toBe(faults.length);
    }
  });

  it('comes to every process and every link', () => {
    const hit = new Set(planOf(7, 500).flatMap((faults) => faults.map(({ on }) => on)));
    const copies = ['campaign-1', 'campaign-2', 'insight-1', 'insight-2'];
    const ends = [...copies.map((copy) => `link of ${copy}`), 'link of people', 'link of handsets'];
    const links = [0, 1, 2].map((node) => `link of broker ${node}`);
    expect([...hit].sort()).toEqual([...copies, 'postgres', 'brokers', 'fleet', ...ends, ...links].sort());
  });
});
