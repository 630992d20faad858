import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkAttributes, checkRuleSet, checkSchema, checkWindows, MatchingError } from './index.js';
import { TEST_SCHEMA } from './testing.js';

const good = {
  schema: { version: 1, attributes: { memory: { type: 'int', description: 'free', personal: false } } },
  attributes: { memory: 5, apps: ['a'], constructor: 'x' },
  ruleSet: { version: 1, rules: [{ id: 'r', on: ['boot'], when: 'true', minInterval: 5, jitter: 1, after: 2 }] },
  windows: [{ days: [1], from: '09:00', to: '10:00', zone: 'device' }],
};
const READERS: Record<keyof typeof good, (input: unknown) => unknown> = {
  schema: checkSchema,
  attributes: (input) => checkAttributes(TEST_SCHEMA, input),
  ruleSet: (input) => checkRuleSet(input, TEST_SCHEMA),
  windows: (input) => checkWindows(input),
};

/** Good input with one value anywhere in it replaced. */
function replaceAt(input: unknown, place: number, by: unknown): unknown {
  let left = place;
  const copy = (value: unknown): unknown => {
    if (left-- === 0) return by;
    if (Array.isArray(value)) return value.map(copy);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, copy(member)]));
  };
  return copy(input);
}

describe.each(Object.entries(READERS))('%s from outside', (name, read) => {
  const input = good[name as keyof typeof good];

  it('is read when it is good', () => expect(() => read(input)).not.toThrow());

  it('with anything in the place of a value is read or refused with a pointer, and nothing else happens', () => {
    fc.assert(
      fc.property(fc.nat({ max: 12 }), fc.anything({ withBigInt: true, withNullPrototype: true }), (place, by) => {
        try {
          read(replaceAt(input, place, by));
        } catch (error) {
          expect(error).toBeInstanceOf(MatchingError);
          expect((error as MatchingError).fields.length).toBeGreaterThan(0);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
