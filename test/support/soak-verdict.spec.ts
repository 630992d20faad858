import { describe, expect, it } from 'vitest';
import { judgeSoak, type SoakLimits, type SoakSample } from './soak-verdict.js';

const LIMITS: SoakLimits = {
  warmUpMs: 600_000,
  pieceMs: 60_000,
  rssSlope: 1,
  heapSlope: 1,
  handleGrowth: { share: 0.05, beside: 5 },
};

/** An hour, a sample every five seconds; memory swings by 40 MiB between two collections. */
function hour(change: (minutes: number) => Partial<SoakSample>): SoakSample[] {
  return Array.from({ length: 720 }, (_, i) => {
    const minutes = i / 12;
    const swing = 40 * ((minutes * 1.7) % 1);
    const { rssMiB = 200, heapMiB = 80, ...rest } = change(minutes);
    const sample = { atMs: minutes * 60_000, descriptors: 120, handles: 130, lag: 0, ...rest };
    return { ...sample, rssMiB: rssMiB + swing, heapMiB: heapMiB + swing };
  });
}

describe('the verdict on a soak', () => {
  it('is well with memory that swings, and with a warm-up', () => {
    const warming = hour((minutes) => ({ rssMiB: 100 + 150 * (1 - Math.exp(-minutes / 2)), heapMiB: 60 }));
    expect(judgeSoak(warming, LIMITS).faults).toEqual([]);
  });

  it('sees 2 MiB a minute below swings of 40', () => {
    const { faults, rssSlope } = judgeSoak(
      hour((minutes) => ({ rssMiB: 200 + 2 * minutes })),
      LIMITS,
    );
    expect(rssSlope).toBeCloseTo(2, 1);
    expect(faults).toEqual([expect.stringMatching(/^resident memory grows by /)]);
  });

  it('is not misled by one large collection, nor by a piece without any', () => {
    const odd = hour((minutes) => ({ heapMiB: minutes > 58 ? 20 : minutes > 30 && minutes < 32 ? 200 : 80 }));
    expect(judgeSoak(odd, LIMITS).faults).toEqual([]);
  });

  it.each([
    ['descriptors', /^descriptors grow from /],
    ['handles', /^handles grow from /],
  ])('sees %s that are not given back', (what, said) => {
    const { faults } = judgeSoak(
      hour((minutes) => ({ [what]: 120 + minutes })),
      LIMITS,
    );
    expect(faults).toEqual([expect.stringMatching(said)]);
  });
});
