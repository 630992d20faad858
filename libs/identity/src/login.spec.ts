import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ACCOUNT_THROTTLE,
  ADDRESS_THROTTLE,
  countAttempt,
  isSessionLive,
  networkOf,
  waitBeforeLogin,
} from './login.js';

const minutes = (n: number) => n * 60_000;

describe('a session', () => {
  it('lives while it is used within 15 minutes and 8 hours', () => {
    expect(isSessionLive({ openedAt: 0, seenAt: minutes(479) - 1 }, minutes(480) - 1)).toBe(true);
  });
  it('ends 15 minutes after its last request', () => {
    expect(isSessionLive({ openedAt: 0, seenAt: minutes(60) }, minutes(75))).toBe(false);
  });
  it('ends 8 hours after its login however busy it is', () => {
    expect(isSessionLive({ openedAt: 0, seenAt: minutes(480) }, minutes(480))).toBe(false);
  });
});

describe('the login throttle', () => {
  const after = (count: number) => ({ count, lastAt: 1_000_000 });

  it('costs nothing for the first attempts', () => {
    expect(waitBeforeLogin(after(ACCOUNT_THROTTLE.free - 1), ACCOUNT_THROTTLE, 1_000_000)).toBe(0);
  });
  it('doubles from one second', () => {
    const waits = [0, 1, 2, 3].map((n) =>
      waitBeforeLogin(after(ACCOUNT_THROTTLE.free + n), ACCOUNT_THROTTLE, 1_000_000),
    );
    expect(waits).toEqual([1000, 2000, 4000, 8000]);
  });
  it('never waits longer than its rule says', () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.nat(10_000_000), (count, later) => {
        expect(waitBeforeLogin(after(count), ADDRESS_THROTTLE, 1_000_000 + later)).toBeLessThanOrEqual(
          ADDRESS_THROTTLE.maxWaitMs,
        );
      }),
    );
  });
  it('locks nobody out for the hour that a clock was put back', () => {
    expect(waitBeforeLogin(after(500), ADDRESS_THROTTLE, 1_000_000 - minutes(60))).toBe(0);
    expect(waitBeforeLogin(after(500), ADDRESS_THROTTLE, 1_000_000 - minutes(1))).toBe(minutes(16));
  });
  it('begins again after an hour without an attempt', () => {
    expect(waitBeforeLogin(after(500), ADDRESS_THROTTLE, 1_000_000 + minutes(60))).toBe(0);
    expect(countAttempt(after(500), 1_000_000 + minutes(60)).count).toBe(1);
    expect(countAttempt(after(500), 1_000_000 + minutes(59)).count).toBe(501);
  });
});

describe('the network of an address', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8:1:2::6', '2001:db8:1:2'],
    ['2001:DB8::6', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
  ])('of %s is %s', (address, network) => expect(networkOf(address)).toBe(network));
});
