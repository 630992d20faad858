import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BURST_SECONDS, type Caps, NO_CAPS, take, unused, type Usage, usageAt } from './caps.js';
import { NO_TALLY, outcomeOf, type Tally } from './outcomes.js';
import { AGEING_PER_DAY, inOrder, type Ranked, weightOf } from './precedence.js';
import { stopFired, type StopRule } from './stop-rules.js';
import { judgeWave, waveAt, wilsonLowerBound } from './waves.js';

const MINUTE = 60_000;
const DAY = 86_400_000;
const tally = (change: Partial<Tally>): Tally => ({ ...NO_TALLY, ...change });

describe('what became of a device', () => {
  const timeouts = { transferMinutes: 60, confirmMinutes: 30 };
  it.each([
    ['has not begun', {}, undefined],
    ['is under way', { grantedAt: 0 }, undefined],
    ['never finished its transfer', { grantedAt: -60 * MINUTE }, 'timed-out'],
    ['never installed', { grantedAt: -90 * MINUTE, transferredAt: -30 * MINUTE }, 'timed-out'],
    ['is installed, and may yet confirm', { installedAt: -29 * MINUTE }, undefined],
    ['is installed, and silent since', { grantedAt: -90 * MINUTE, installedAt: -30 * MINUTE }, 'silent'],
    ['confirmed after a long silence', { installedAt: -90 * MINUTE, confirmedAt: 0 }, 'confirmed'],
    ['went back after it had confirmed', { confirmedAt: -1, failedAt: 0 }, 'failed'],
    ['declined what it was granted', { grantedAt: -90 * MINUTE, declinedAt: -1 }, 'declined'],
  ] as const)('%s', (_, device, outcome) => expect(outcomeOf(device, timeouts, 0)).toBe(outcome));

  it('is never known by silence where the campaign says so', () => {
    const never = { transferMinutes: null, confirmMinutes: null };
    expect(outcomeOf({ installedAt: -365 * DAY }, never, 0)).toBeUndefined();
    expect(outcomeOf({ grantedAt: -365 * DAY }, never, 0)).toBeUndefined();
  });
});

describe('a wave', () => {
  const gate = { minimum: 50, success: 0.9, timeoutMinutes: 60 };
  it('has the lower bound of Wilson: textbook values', () => {
    // Newcombe, Statistics in Medicine 17 (1998), table I: 81/263, 15/148, 0/20, 1/29
    expect(wilsonLowerBound(81, 263)).toBeCloseTo(0.2553, 4);
    expect(wilsonLowerBound(15, 148)).toBeCloseTo(0.0624, 4);
    expect(wilsonLowerBound(0, 20)).toBe(0);
    expect(wilsonLowerBound(1, 29)).toBeCloseTo(0.0061, 4);
    expect(wilsonLowerBound(0, 0)).toBe(0);
  });

  it('has a bound that more successes raise and that stays below the share', () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (of, share) => {
        const successes = Math.floor(share * of);
        const bound = wilsonLowerBound(successes, of);
        expect(bound).toBeLessThanOrEqual(successes / of);
        if (successes < of) expect(wilsonLowerBound(successes + 1, of)).toBeGreaterThan(bound);
      }),
    ));

  it.each([
    ['opens the next when enough have confirmed', tally({ confirmed: 60 }), 'open'],
    ['waits while few have answered, whatever they say', tally({ confirmed: 49 }), 'wait'],
    ['waits while the bound is below, although the share is not', tally({ confirmed: 46, failed: 4 }), 'wait'],
    ['counts silence against it', tally({ confirmed: 60, silent: 10 }), 'wait'],
  ] as const)('%s', (_, counts, verdict) => expect(judgeWave(gate, counts, 0, 59 * MINUTE)).toBe(verdict));

  it('asks for a person when it takes too long, unless it is good by then', () => {
    expect(judgeWave(gate, tally({ confirmed: 10 }), 0, 60 * MINUTE)).toBe('timed-out');
    expect(judgeWave(gate, tally({ confirmed: 60 }), 0, 60 * MINUTE)).toBe('open');
  });

  it('is found by how far the campaign is open', () => {
    const waves = [100, 1_000, 10_000].map((upTo) => ({ upTo, gate: null }));
    expect(waveAt(waves, 0)).toEqual({ current: undefined, next: waves[0] });
    expect(waveAt(waves, 100)).toEqual({ current: waves[0], next: waves[1] });
    expect(waveAt(waves, 500)).toEqual({ current: waves[0], next: waves[1] });
    expect(waveAt(waves, 10_000)).toEqual({ current: waves[2] });
  });
});

describe('stop rules', () => {
  const rule = (change: Partial<StopRule>): StopRule => ({ on: 'failed', share: 0.1, minimum: 20, ...change });
  it.each([
    ['fires above its share', rule({}), tally({ confirmed: 17, failed: 3 }), true],
    ['does not fire at its share', rule({}), tally({ confirmed: 18, failed: 2 }), false],
    ['does not fire before its minimum', rule({}), tally({ failed: 19 }), false],
    ['at share 0 fires at the first', rule({ share: 0, minimum: 0 }), tally({ failed: 1 }), true],
    ['at share 0 does not fire at none', rule({ share: 0, minimum: 0 }), tally({ confirmed: 5 }), false],
    ['on silent sees who is never heard of again', rule({ on: 'silent' }), tally({ confirmed: 10, silent: 10 }), true],
    ['on timed-out does not see failures', rule({ on: 'timed-out' }), tally({ failed: 30 }), false],
    [
      'on lost adds up what went wrong',
      rule({ on: 'lost' }),
      tally({ confirmed: 27, failed: 1, silent: 1, 'timed-out': 2 }),
      true,
    ],
    ['on lost leaves a no aside', rule({ on: 'lost' }), tally({ confirmed: 10, declined: 20 }), false],
  ] as const)('one %s', (_, each, counts, fires) => {
    expect(stopFired([each], counts) !== undefined).toBe(fires);
  });

  it('say what they saw, the first that fires', () => {
    const fired = stopFired(
      [rule({ on: 'silent' }), rule({}), rule({ share: 0 })],
      tally({ confirmed: 7, failed: 13 }),
    );
    expect(fired).toEqual({ rule: rule({}), count: 13, responded: 20 });
  });
});

describe('caps', () => {
  const caps: Caps = { transfers: 2, bytesPerSecond: 1_000, bytesPerDay: 200_000 };
  const taken = (usage: Usage, bytes: number, under = caps): Usage => {
    const after = take(usage, under, bytes);
    if ('retryAfterSeconds' in after) throw new Error('held back');
    return after;
  };
  const held = (usage: Usage, bytes: number, under = caps) =>
    take(usage, under, bytes) as { retryAfterSeconds: number };

  it('hold so many transfers at one time', () => {
    const usage = taken(taken(unused(caps, 0), 1), 1);
    expect(held(usage, 1)).toEqual({ retryAfterSeconds: 60 });
    expect(taken({ ...usage, transfers: 1 }, 1).transfers).toBe(2);
  });

  it('let a content through that is larger than the credit, and make the next wait until it is paid for', () => {
    const rate = { ...NO_CAPS, bytesPerSecond: 1_000 };
    const usage = taken(unused(rate, 0), 100_000, rate); // 60,000 of credit
    expect(usage.credit).toBe(-40_000);
    expect(held(usage, 1, rate)).toEqual({ retryAfterSeconds: 40 });
    expect(held(usageAt(usage, rate, 40_000), 1, rate)).toEqual({ retryAfterSeconds: 1 });
    expect(taken(usageAt(usage, rate, 41_000), 1, rate).credit).toBe(999);
  });

  it('count the bytes of a day in UTC, and let the first of a day through whatever its size', () => {
    const day = { ...NO_CAPS, bytesPerDay: 100 };
    const evening = DAY - 10_000;
    const usage = taken(unused(day, evening), 500, day);
    expect(held(usage, 1, day)).toEqual({ retryAfterSeconds: 10 });
    expect(taken(usageAt(usage, day, DAY), 60, day).dayBytes).toBe(60);
  });

  it('are none where none are set', () => expect(taken(unused(NO_CAPS, 0), 1e12, NO_CAPS).transfers).toBe(1));

  it('never grant more than the rate, for any sequence of wishes: burst and one content beside', () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ afterMs: fc.integer({ min: 0, max: 20_000 }), bytes: fc.integer({ min: 1, max: 50_000 }) }),
        ),
        (wishes) => {
          const rate = { ...NO_CAPS, bytesPerSecond: 1_000 };
          let [usage, now, granted] = [unused(rate, 0), 0, 0];
          for (const { afterMs, bytes } of wishes) {
            now += afterMs;
            usage = usageAt(usage, rate, now);
            const after = take(usage, rate, bytes);
            if ('retryAfterSeconds' in after) continue;
            usage = after;
            granted += bytes;
          }
          expect(granted).toBeLessThanOrEqual(1_000 * BURST_SECONDS + now + 50_000);
        },
      ),
    ));
});

describe('precedence', () => {
  const campaign = (change: Partial<Ranked>): Ranked => ({
    campaignId: 'k',
    class: 'normal',
    priority: 500,
    startedAt: 0,
    ...change,
  });
  const first = (now: number, ...campaigns: Ranked[]) => campaigns.toSorted(inOrder(now))[0]!.campaignId;

  it('puts the class before any weight and any age', () =>
    expect(
      first(
        1_000 * DAY,
        campaign({ campaignId: 'old', priority: 1_000 }),
        campaign({ campaignId: 'u', class: 'urgent', priority: 0, startedAt: 1_000 * DAY }),
      ),
    ).toBe('u'));

  it('lets what waits catch up with what is heavier, and not before its time', () => {
    const [old, heavy] = [
      campaign({ campaignId: 'old', priority: 400 }),
      campaign({ campaignId: 'heavy', startedAt: 30 * DAY }),
    ];
    const evenAfter = 100 / AGEING_PER_DAY;
    expect(evenAfter).toBe(10);
    expect(weightOf(old, 30 * DAY)).toBe(700);
    expect(first(5 * DAY, old, campaign({ campaignId: 'new', startedAt: 5 * DAY }))).toBe('new');
    expect(first(30 * DAY, old, heavy)).toBe('old');
  });

  it('goes by age, then by id, where the weight is the same', () => {
    const [a, b] = [campaign({ campaignId: 'a', startedAt: 5 }), campaign({ campaignId: 'b', startedAt: 5 })];
    expect(first(5, b, a)).toBe('a');
  });

  it('is an order: any campaigns come out alike, however they came in', () =>
    fc.assert(
      fc.property(
        fc.uniqueArray(
          fc.record({
            campaignId: fc.string({ minLength: 1, maxLength: 3 }),
            class: fc.constantFrom('urgent' as const, 'normal' as const, 'background' as const),
            priority: fc.integer({ min: 0, max: 1_000 }),
            startedAt: fc.integer({ min: 0, max: 20 * DAY }),
          }),
          { selector: ({ campaignId }) => campaignId },
        ),
        (campaigns) => {
          const order = campaigns.toSorted(inOrder(20 * DAY));
          expect(campaigns.toReversed().toSorted(inOrder(20 * DAY))).toEqual(order);
        },
      ),
    ));
});
