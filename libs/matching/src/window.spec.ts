import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkWindows, isInWindow, MatchingError, nextWindowStart, type WeeklyWindow } from './index.js';

const at = (text: string): number => Date.parse(text);
const EVERY_DAY = [1, 2, 3, 4, 5, 6, 7];
const paris = (from: string, to: string, days: number[] = EVERY_DAY): WeeklyWindow[] => [
  { days, from, to, zone: 'Europe/Paris' },
];
const MINUTE = 60_000;

describe('a weekly window', () => {
  it('is open from its first minute up to its last, on its days', () => {
    const monday = paris('09:00', '17:00', [1]);
    expect(isInWindow(monday, at('2026-11-23T07:59:59Z'))).toBe(false);
    expect(isInWindow(monday, at('2026-11-23T08:00:00Z'))).toBe(true);
    expect(isInWindow(monday, at('2026-11-23T15:59:59.999Z'))).toBe(true);
    expect(isInWindow(monday, at('2026-11-23T16:00:00Z'))).toBe(false);
    expect(isInWindow(monday, at('2026-11-24T09:00:00Z'))).toBe(false);
  });

  it('that runs past midnight belongs to the day on which it opens', () => {
    const fridayNight = paris('22:00', '06:00', [5]);
    expect(isInWindow(fridayNight, at('2026-11-27T21:00:00Z'))).toBe(true);
    expect(isInWindow(fridayNight, at('2026-11-28T04:59:00Z'))).toBe(true);
    expect(isInWindow(fridayNight, at('2026-11-28T05:00:00Z'))).toBe(false);
    expect(isInWindow(fridayNight, at('2026-11-27T04:00:00Z'))).toBe(false);
    expect(isInWindow(paris('22:00', '06:00', [7]), at('2026-11-30T04:00:00Z'))).toBe(true); // Sunday night, on Monday
  });

  it('with equal ends is open for a whole day from there', () => {
    const day = paris('06:00', '06:00', [1]);
    expect(isInWindow(day, at('2026-11-23T05:00:00Z'))).toBe(true);
    expect(isInWindow(day, at('2026-11-24T04:59:00Z'))).toBe(true);
    expect(isInWindow(day, at('2026-11-24T05:00:00Z'))).toBe(false);
  });

  it('of the device follows the zone that the device is in', () => {
    const own: WeeklyWindow[] = [{ days: EVERY_DAY, from: '09:00', to: '10:00', zone: 'device' }];
    expect(isInWindow(own, at('2026-11-23T03:45:00Z'), 'Asia/Kathmandu')).toBe(true); // UTC+05:45
    expect(isInWindow(own, at('2026-11-23T03:45:00Z'), 'Europe/Paris')).toBe(false);
    expect(isInWindow(own, at('2026-11-23T09:30:00Z'))).toBe(true);
  });

  it('in a zone that this machine does not know stays shut, and a device in such a zone counts as in UTC', () => {
    const mars: WeeklyWindow[] = [{ days: EVERY_DAY, from: '00:00', to: '00:00', zone: 'Mars/Olympus' }];
    expect(isInWindow(mars, 0)).toBe(false);
    expect(nextWindowStart(mars, 0)).toBeUndefined();
    const own: WeeklyWindow[] = [{ days: EVERY_DAY, from: '09:00', to: '10:00', zone: 'device' }];
    expect(isInWindow(own, at('2026-11-23T09:30:00Z'), 'Mars/Olympus')).toBe(true);
  });

  it('is always open when there is none', () => expect(isInWindow([], 0)).toBe(true));
});

/** Europe/Paris 2026: 29 March 02:00 → 03:00 at 01:00Z, 25 October 03:00 → 02:00 at 01:00Z. */
describe('on the days on which the clock changes', () => {
  it('in spring a window over the skipped hour is an hour shorter', () => {
    const night = paris('01:00', '04:00');
    expect(isInWindow(night, at('2026-03-28T23:59:00Z'))).toBe(false);
    expect(isInWindow(night, at('2026-03-29T00:00:00Z'))).toBe(true); // 01:00
    expect(isInWindow(night, at('2026-03-29T01:00:00Z'))).toBe(true); // 03:00
    expect(isInWindow(night, at('2026-03-29T01:59:00Z'))).toBe(true); // 03:59
    expect(isInWindow(night, at('2026-03-29T02:00:00Z'))).toBe(false); // 04:00
  });

  it('in spring a window that begins in the skipped hour opens when the clock jumps into it', () => {
    const night = paris('02:30', '03:30');
    expect(isInWindow(night, at('2026-03-29T00:59:00Z'))).toBe(false); // 01:59
    expect(isInWindow(night, at('2026-03-29T01:00:00Z'))).toBe(true); // 03:00
    expect(nextWindowStart(night, at('2026-03-29T00:00:00Z'))).toBe(at('2026-03-29T01:00:00Z'));
  });

  it('in spring a window inside the skipped hour does not open, and the next is on the day after', () => {
    const skipped = paris('02:15', '02:45');
    expect(nextWindowStart(skipped, at('2026-03-29T00:00:00Z'))).toBe(at('2026-03-30T00:15:00Z'));
  });

  it('in autumn a window over the repeated hour is an hour longer', () => {
    const night = paris('01:00', '04:00');
    expect(isInWindow(night, at('2026-10-24T22:59:00Z'))).toBe(false);
    expect(isInWindow(night, at('2026-10-24T23:00:00Z'))).toBe(true); // 01:00
    expect(isInWindow(night, at('2026-10-25T01:30:00Z'))).toBe(true); // 02:30 for the second time
    expect(isInWindow(night, at('2026-10-25T02:59:00Z'))).toBe(true); // 03:59
    expect(isInWindow(night, at('2026-10-25T03:00:00Z'))).toBe(false); // 04:00
  });

  it('in autumn a window inside the repeated hour opens twice', () => {
    const twice = paris('02:15', '02:45');
    expect(nextWindowStart(twice, at('2026-10-24T23:00:00Z'))).toBe(at('2026-10-25T00:15:00Z'));
    expect(nextWindowStart(twice, at('2026-10-25T00:45:00Z'))).toBe(at('2026-10-25T01:15:00Z'));
    expect(nextWindowStart(twice, at('2026-10-25T01:45:00Z'))).toBe(at('2026-10-26T01:15:00Z'));
  });

  it('in autumn the clock can jump back into a window that had closed', () => {
    const closed = paris('01:30', '02:30');
    expect(isInWindow(closed, at('2026-10-25T00:45:00Z'))).toBe(false); // 02:45
    expect(nextWindowStart(closed, at('2026-10-25T00:45:00Z'))).toBe(at('2026-10-25T01:00:00Z')); // 02:00 again
  });

  it('half an hour is a change as well (Lord Howe Island)', () => {
    const island: WeeklyWindow[] = [{ days: EVERY_DAY, from: '02:00', to: '02:30', zone: 'Australia/Lord_Howe' }];
    expect(nextWindowStart(island, at('2026-10-03T14:00:00Z'))).toBe(at('2026-10-04T15:00:00Z')); // 4 October skips it
  });
});

describe('the next opening', () => {
  it('is now while a window is open', () => {
    const now = at('2026-11-23T09:30:00Z');
    expect(nextWindowStart(paris('09:00', '17:00'), now)).toBe(now);
  });

  it('is up to a week away, and the first of several windows', () => {
    expect(nextWindowStart(paris('09:00', '10:00', [1]), at('2026-11-23T09:00:00Z'))).toBe(at('2026-11-30T08:00:00Z'));
    const two = [...paris('09:00', '10:00', [1]), { days: [3], from: '09:00', to: '10:00', zone: 'America/New_York' }];
    expect(nextWindowStart(two, at('2026-11-23T09:00:00Z'))).toBe(at('2026-11-25T14:00:00Z'));
  });

  it('agrees with a walk minute by minute around every change of the clock', () => {
    const time = fc
      .integer({ min: 0, max: 1_439 })
      .map((m) => `${String(Math.floor(m / 60)).padStart(2, '0')}:${String(m % 60).padStart(2, '0')}`);
    const anyWindow = fc.record({
      days: fc.subarray(EVERY_DAY, { minLength: 1 }),
      from: time,
      to: time,
      zone: fc.constantFrom('Europe/Paris', 'America/New_York', 'Australia/Lord_Howe', 'UTC'),
    });
    const start = fc.constantFrom(
      '2026-03-28T20:00:00Z',
      '2026-10-24T20:00:00Z',
      '2026-03-08T03:00:00Z',
      '2026-11-01T03:00:00Z',
      '2026-04-04T12:00:00Z',
    );
    fc.assert(
      fc.property(anyWindow, start, fc.nat({ max: 300 }), (window, day, offset) => {
        const now = at(day) + offset * MINUTE;
        const walked = Array.from({ length: 720 }, (_, minute) => now + minute * MINUTE).find((instant) =>
          isInWindow([window], instant),
        );
        const next = nextWindowStart([window], now);
        if (walked === undefined) expect(next ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(now + 720 * MINUTE);
        else expect(next).toBe(walked);
      }),
      { numRuns: 150 },
    );
  });
});

describe('windows as input', () => {
  const good = { days: [1], from: '09:00', to: '10:00', zone: 'Europe/Paris' };
  it('are read', () => expect(checkWindows([good, { ...good, zone: 'device' }])).toHaveLength(2));

  it.each<[unknown, string]>([
    [{}, '/windows'],
    [Array.from({ length: 21 }, () => good), '/windows'],
    [[null], '/windows/0'],
    [[{ ...good, days: [] }], '/windows/0/days'],
    [[{ ...good, days: [0] }], '/windows/0/days'],
    [[{ ...good, from: '24:00' }], '/windows/0/from'],
    [[{ ...good, to: '9:00' }], '/windows/0/to'],
    [[{ ...good, zone: 'Europe/Nowhere' }], '/windows/0/zone'],
    [[{ ...good, zone: '+01:00' }], '/windows/0/zone'],
    [[{ ...good, zone: '' }], '/windows/0/zone'],
    [[{ ...good, until: 1 }], '/windows/0/until'],
  ])('that are %j are refused at %s', (input, pointer) => {
    expect(() => checkWindows(input, '/windows')).toThrow(MatchingError);
    expect(() => checkWindows(input, '/windows')).toThrow(
      expect.objectContaining({ code: 'window.malformed', fields: [expect.objectContaining({ pointer })] }),
    );
  });
});
