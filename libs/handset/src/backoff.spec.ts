import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BACKOFF_CAP_MS, backoffMs, retryAfterMs, spreadMs } from './backoff.js';

const unit = fc.double({ min: 0, max: 0.999999, noNaN: true });

describe('back-off', () => {
  it('doubles its window from 2 s up to an hour, and uses all of it', () => {
    const ends = [1, 2, 3, 10, 11, 50].map((failures) => backoffMs(failures, () => 0.999999999));
    expect(ends.map((ms) => Math.ceil(ms / 1000))).toEqual([2, 4, 8, 1024, 2048, 3600]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000 }), unit, (failures, r) => {
        const ms = backoffMs(failures, () => r);
        return ms >= 0 && ms <= BACKOFF_CAP_MS;
      }),
    );
    expect(backoffMs(9, () => 0)).toBe(0);
  });

  it('is no longer than the interval that the server asks for', () => {
    const ends = [1, 4, 5, 12].map((failures) => backoffMs(failures, () => 0.999999999, 30_000));
    expect(ends.map((ms) => Math.ceil(ms / 1000))).toEqual([2, 16, 30, 30]);
  });

  it('spreads the interval by 15 % either way', () => {
    expect([0, 0.5, 1].map((r) => spreadMs(1_000, () => r))).toEqual([850, 1_000, 1_150]);
  });

  it.each([
    ['120', 120_000],
    ['Tue, 24 Nov 2026 10:00:30 GMT', 30_000],
    ['Tue, 24 Nov 2026 09:00:00 GMT', 0],
    ['999999999', 86_400_000],
    ['soon', undefined],
    [undefined, undefined],
  ])('reads Retry-After %s', (header, ms) => {
    expect(retryAfterMs(header, Date.parse('2026-11-24T10:00:00Z'))).toBe(ms);
  });
});
