import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkRuleSet,
  initialTriggers,
  MatchingError,
  nextTimer,
  polled,
  stepTriggers,
  TIMER_FLOOR_MS,
  TRIGGER_EVENTS,
  type Attributes,
  type Fire,
  type Occurrence,
  type TriggerRule,
  type TriggerState,
} from './index.js';
import { TEST_SCHEMA } from './testing.js';

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const ruleSet = (...rules: TriggerRule[]) => checkRuleSet({ version: 7, rules }, TEST_SCHEMA);

/** A handset with rules: occurrences go in, what it asks comes out. */
function handset(rules: TriggerRule[], device: Attributes = {}, random = () => 0) {
  const set = ruleSet(...rules);
  let state: TriggerState = initialTriggers(0);
  return {
    at(at: number, on: Occurrence['on'], event?: Attributes): Fire | undefined {
      const step = stepTriggers(state, { on, at, event }, { ruleSet: set, device, random });
      state = JSON.parse(JSON.stringify(step.state)) as TriggerState; // as stored and read again
      return step.fire;
    },
    next: (now: number) => nextTimer(state, set, now),
    polled: (at: number) => (state = polled(state, at)),
  };
}

describe('triggers', () => {
  it('ask when their event happens, by rule and version', () => {
    const device = handset([{ id: 'abroad', on: ['country-changed'] }]);
    expect(device.at(5, 'network')).toBeUndefined();
    expect(device.at(6, 'country-changed')).toEqual({ rule: 'abroad', version: 7, at: 6 });
  });

  it.each(TRIGGER_EVENTS)('can be set on %s', (on) => {
    expect(handset([{ id: 'r', on: [on] }]).at(1, on)).toEqual({ rule: 'r', version: 7, at: 1 });
  });

  it('ask only if the rule is true of the device and of the event', () => {
    const rules: TriggerRule[] = [{ id: 'r', on: ['charging'], when: 'event.battery >= 50 && device.roaming' }];
    expect(handset(rules, { roaming: true }).at(1, 'charging', { battery: 80n })).toBeDefined();
    expect(handset(rules, { roaming: true }).at(1, 'charging', { battery: 20n })).toBeUndefined();
    expect(handset(rules, { roaming: false }).at(1, 'charging', { battery: 80n })).toBeUndefined();
  });

  it('do not ask when the rule is unknown or fails', () => {
    expect(handset([{ id: 'r', on: ['boot'], when: 'device.roaming' }]).at(1, 'boot')).toBeUndefined();
    expect(handset([{ id: 'r', on: ['boot'], when: '1 / 0 == 1' }]).at(1, 'boot')).toBeUndefined();
  });

  it('know which kind of event it was', () => {
    const device = handset([{ id: 'r', on: ['boot', 'push'], when: 'event.on == "push"' }]);
    expect(device.at(1, 'boot')).toBeUndefined();
    expect(device.at(2, 'push')).toBeDefined();
  });

  it('wait for their interval, to the millisecond', () => {
    const device = handset([{ id: 'r', on: ['network'], minInterval: 60 }]);
    expect(device.at(0, 'network')).toBeDefined();
    expect(device.at(59_999, 'network')).toBeUndefined();
    expect(device.at(60_000, 'network')).toBeDefined();
  });

  it('count satisfying occurrences only, and start again after asking', () => {
    const device = handset([{ id: 'r', on: ['app-started'], when: 'event.app == "x"', after: 3 }]);
    const asked = ['x', 'y', 'x', 'y', 'x', 'x', 'x', 'x'].map(
      (app, at) => device.at(at, 'app-started', { app }) !== undefined,
    );
    expect(asked).toEqual([false, false, false, false, true, false, false, true]);
  });

  it('that are due but inside their interval ask at the first occurrence after it', () => {
    const device = handset([{ id: 'r', on: ['network'], after: 2, minInterval: 10 }]);
    const asked = [1, 2, 3, 4, 5].map((at) => device.at(at, 'network') !== undefined);
    expect(asked).toEqual([false, true, false, false, false]);
    expect(device.at(10_002, 'network')).toBeDefined();
  });

  it('are put off by a random time below the jitter', () => {
    const ask = (random: number) =>
      handset([{ id: 'r', on: ['boot'], jitter: 600 }], {}, () => random).at(1_000, 'boot')?.at;
    expect(ask(0)).toBe(1_000);
    expect(ask(0.5)).toBe(301_000);
    expect(ask(0.999999)).toBeLessThan(601_000);
  });

  it('that fire together make one request, the earliest, and both wait their interval', () => {
    const randoms = [0.9, 0.1];
    const device = handset(
      [
        { id: 'late', on: ['boot'], jitter: 100, minInterval: 1_000 },
        { id: 'soon', on: ['boot'], jitter: 100, minInterval: 1_000 },
      ],
      {},
      () => randoms.shift() ?? 0,
    );
    expect(device.at(0, 'boot')).toEqual({ rule: 'soon', version: 7, at: 10 * SECOND });
    expect(device.at(500 * SECOND, 'boot')).toBeUndefined();
  });

  it('fire again after the clock was put back, instead of waiting for a time long gone', () => {
    const device = handset([{ id: 'r', on: ['network'], minInterval: 60 }]);
    expect(device.at(1_000 * HOUR, 'network')).toBeDefined();
    expect(device.at(HOUR, 'network')).toBeDefined();
  });

  it('tell why each of them did not fire', () => {
    const set = ruleSet({ id: 'a', on: ['boot'], when: 'device.roaming' }, { id: 'b', on: ['boot'], after: 2 });
    const { considered } = stepTriggers(
      initialTriggers(0),
      { on: 'boot', at: 1 },
      { ruleSet: set, device: {}, random: () => 0 },
    );
    expect(considered).toMatchObject([
      { rule: 'a', outcome: 'when', verdict: { result: 'unknown', leaf: { attribute: 'device.roaming' } } },
      { rule: 'b', outcome: 'after' },
    ]);
  });

  it('keep what they have counted when a new set has the same id', () => {
    const context = (version: number) => ({
      ruleSet: checkRuleSet({ version, rules: [{ id: 'constructor', on: ['boot'], after: 2 }] }, TEST_SCHEMA),
      device: {},
      random: () => 0,
    });
    const { state } = stepTriggers(initialTriggers(0), { on: 'boot', at: 1 }, context(1));
    expect(stepTriggers(state, { on: 'boot', at: 2 }, context(2)).fire).toEqual({
      rule: 'constructor',
      version: 2,
      at: 2,
    });
  });
});

describe('the timer', () => {
  it('is due when the first period ends, and at the latest at the floor', () => {
    const device = handset([
      { id: 'hourly', on: ['timer'], minInterval: 3_600 },
      { id: 'weekly', on: ['timer'], minInterval: 7 * 86_400 },
    ]);
    expect(device.next(0)).toBe(HOUR);
    expect(device.at(HOUR, 'timer')).toMatchObject({ rule: 'hourly' });
    expect(device.next(HOUR)).toBe(2 * HOUR);
    expect(handset([]).next(5)).toBe(TIMER_FLOOR_MS);
  });

  it('waits a whole period again after a rule was not satisfied, so that the agent does not spin', () => {
    const device = handset([{ id: 'r', on: ['timer'], minInterval: 3_600, when: 'device.roaming' }]);
    expect(device.at(HOUR, 'timer')).toBeUndefined();
    expect(device.next(HOUR)).toBe(2 * HOUR);
  });

  it('always asks by the floor when 24 h have passed, whatever the rules are', () => {
    for (const rules of [[], [{ id: 'never', on: ['timer' as const], when: 'false', minInterval: 1 }]]) {
      const device = handset(rules);
      expect(device.at(TIMER_FLOOR_MS - 1, 'timer')).toBeUndefined();
      expect(device.at(TIMER_FLOOR_MS, 'timer')).toEqual({ rule: 'floor', version: 7, at: TIMER_FLOOR_MS });
    }
  });

  it('counts the floor from any request', () => {
    const device = handset([]);
    device.polled(HOUR);
    expect(device.next(HOUR)).toBe(TIMER_FLOOR_MS + HOUR);
    expect(device.at(TIMER_FLOOR_MS, 'timer')).toBeUndefined();
  });

  it('leaves no handset silent for more than 24 h, whatever rules and events come', () => {
    const anyRule = fc.record(
      {
        on: fc.subarray([...TRIGGER_EVENTS], { minLength: 1 }),
        when: fc.constantFrom('true', 'false', 'device.roaming', '1 / 0 == 1'),
        minInterval: fc.integer({ min: 1, max: 30 * 86_400 }),
        jitter: fc.integer({ min: 0, max: 86_400 }),
        after: fc.integer({ min: 1, max: 1_000 }),
      },
      { requiredKeys: ['on'] },
    );
    const happenings = fc.array(
      fc.record({ on: fc.constantFrom(...TRIGGER_EVENTS), inMs: fc.nat({ max: 30 * HOUR }) }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(
        fc.array(anyRule, { maxLength: 5 }),
        happenings,
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (rules, events, random) => {
          const device = handset(
            rules.map((rule, at) => ({ ...rule, id: `r${at}` })),
            {},
            () => random,
          );
          let [now, last] = [0, 0];
          const see = (fire: Fire | undefined): void => {
            if (fire === undefined) return;
            expect(fire.at - last).toBeLessThanOrEqual(TIMER_FLOOR_MS);
            expect(fire.at).toBeGreaterThanOrEqual(now);
            last = fire.at;
          };
          for (const { on, inMs } of events) {
            for (let steps = 0; device.next(now) <= now + inMs && steps < 50; steps++) {
              now = device.next(now);
              see(device.at(now, 'timer'));
            }
            if (device.next(now) > now + inMs) see(device.at((now += inMs), on));
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('a rule set', () => {
  const rule = { id: 'r', on: ['boot'] };
  it.each<[string, unknown, string, string]>([
    ['no object', 5, 'rule-set.malformed', ''],
    ['no version', { rules: [] }, 'rule-set.malformed', '/version'],
    ['rules that are none', { version: 1, rules: {} }, 'rule-set.malformed', '/rules'],
    [
      'too many rules',
      { version: 1, rules: Array.from({ length: 51 }, (_, at) => ({ ...rule, id: `r${at}` })) },
      'rule-set.malformed',
      '/rules',
    ],
    ['one id twice', { version: 1, rules: [rule, rule] }, 'rule-set.malformed', '/rules/1/id'],
    ['an id with a line break', { version: 1, rules: [{ ...rule, id: 'a\nb' }] }, 'rule-set.malformed', '/rules/0/id'],
    ['the id of the floor', { version: 1, rules: [{ ...rule, id: 'floor' }] }, 'rule-set.malformed', '/rules/0/id'],
    [
      'an event that is not known',
      { version: 1, rules: [{ ...rule, on: ['sunrise'] }] },
      'rule-set.malformed',
      '/rules/0/on',
    ],
    ['no event', { version: 1, rules: [{ ...rule, on: [] }] }, 'rule-set.malformed', '/rules/0/on'],
    [
      'an interval of nothing',
      { version: 1, rules: [{ ...rule, minInterval: 0 }] },
      'rule-set.malformed',
      '/rules/0/minInterval',
    ],
    [
      'a jitter of two days',
      { version: 1, rules: [{ ...rule, jitter: 172_800 }] },
      'rule-set.malformed',
      '/rules/0/jitter',
    ],
    ['half an occurrence', { version: 1, rules: [{ ...rule, after: 1.5 }] }, 'rule-set.malformed', '/rules/0/after'],
    ['a field of its own', { version: 1, rules: [{ ...rule, floor: false }] }, 'rule-set.malformed', '/rules/0/floor'],
    [
      'a rule that does not parse',
      { version: 1, rules: [rule, { ...rule, id: 's', when: 'device.' }] },
      'rule.parse',
      '/rules/1/when',
    ],
    [
      'a rule over an unknown name',
      { version: 1, rules: [{ ...rule, when: 'event.colour == "red"' }] },
      'rule.unknown-attribute',
      '/rules/0/when',
    ],
  ])('with %s is refused', (_name, input, code, pointer) => {
    try {
      checkRuleSet(input, TEST_SCHEMA);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(MatchingError);
      expect(error).toMatchObject({ code, fields: [expect.objectContaining({ pointer })] });
    }
  }); // prettier-ignore
});
