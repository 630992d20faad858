import { describe, expect, it } from 'vitest';
import { rateOf, type Speed, timeLeft, uploadIdOf, withSpeed } from './upload-progress.js';

const speeds = (...all: [number, number][]) =>
  all.reduce<readonly Speed[]>((kept, [at, sent]) => withSpeed(kept, { at, sent }), []);

describe('an upload', () => {
  it('goes as fast as in its last seconds, not since it began', () => {
    expect(rateOf(speeds([0, 0], [10_000, 100], [11_000, 1_100], [12_000, 2_100]))).toBe(1_000);
  });

  it('has no speed before there is something to say', () => {
    expect(rateOf([])).toBeUndefined();
    expect(rateOf(speeds([0, 0], [100, 5_000]))).toBeUndefined();
  });

  it('says how long it takes', () => {
    expect(timeLeft({ size: 50_000_000, sent: 10_000_000 }, 1_000_000)).toBe(40_000);
    expect(timeLeft({ size: 5, sent: 0 }, 0)).toBeUndefined();
  });

  it('gives the content its id', () => expect(uploadIdOf('/v1/uploads/abc')).toBe('abc'));
});
