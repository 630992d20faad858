import { describe, expect, it } from 'vitest';
import { linesOf, type Sample, withSample } from './rates.js';

const sample = (at: number, confirmed: number): Sample => ({
  at,
  funnel: { polled: 10, matched: 9, requested: 8, transferred: 7, installed: 6, confirmed },
});
const all = (...samples: Sample[]) => samples.reduce<readonly Sample[]>((kept, each) => withSample(kept, each), []);

describe('how a campaign goes, as it is watched', () => {
  it('keeps a flat line by its two ends', () => {
    expect(all(sample(1, 0), sample(2, 0), sample(3, 0), sample(4, 0)).map(({ at }) => at)).toEqual([1, 4]);
  });

  it('keeps every change, with the end of the flat line before it', () => {
    expect(all(sample(1, 0), sample(2, 0), sample(3, 0), sample(4, 5)).map(({ at }) => at)).toEqual([1, 3, 4]);
  });

  it('forgets the oldest', () => {
    const many = Array.from({ length: 700 }, (_, n) => sample(n, n));
    expect(all(...many)).toHaveLength(600);
  });

  it('is drawn a line a step', () => {
    expect(linesOf([sample(1_000, 1), sample(2_000, 3)], ['installed', 'confirmed'])).toEqual([
      [1, 2],
      [6, 6],
      [1, 3],
    ]);
  });
});
