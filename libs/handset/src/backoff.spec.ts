import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BACKOFF_CAP_MS, backoffMs, restMs, retryAfterMs, spreadMs } from './backoff.js';

const unit = fc.double({ min: 0, max: 0.999999, noNaN: true });

describe('back-off', () => {
  it('has a window of a minute, then ten, then an hour, and uses all of it', () => {
    const ends = [1, 2, 3, 50].map((failures) => backoffMs(failures, () => 0.999999999));
    expect(ends.map((ms) => Math.ceil(ms / 1000))).toEqual([60, 600, 3600, 3600]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000 }), unit, (failures, r) => {
        const ms = backoffMs(failures, () => r);
        return ms >= 0 && ms <= BACKOFF_CAP_MS;
      }),
    );
    expect(backoffMs(9, () => 0)).toBe(0);
  });

  it('is no longer than the interval that the server asks for', () => {
    const ends = [1, 2, 3, 12].map((failures) => backoffMs(failures, () => 0.999999999, 90_000));
    expect(ends.map((ms) => Math.ceil(ms / 1000))).toEqual([60, 90, 90, 90]);
  });

  it('comes on top of what the server asked for, so that those who were told the same do not return together', () => {
    const asked = { failures: 1, intervalMs: 30_000, retryAfterMs: 120_000 };
    expect([0, 0.5, 0.999999999].map((r) => Math.round(restMs(asked, () => r) / 1000))).toEqual([120, 135, 150]);
    expect(restMs({ failures: 1, intervalMs: 30_000 }, () => 0)).toBe(0);
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
