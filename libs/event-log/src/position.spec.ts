import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PARTITIONS, TOPICS } from './event-log.js';
import { decodePosition, encodePosition, reaches } from './position.js';

const position = fc.dictionary(
  fc.tuple(fc.constantFrom(...TOPICS), fc.nat(PARTITIONS - 1)).map(([topic, partition]) => `${topic}/${partition}`),
  fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  { noNullPrototype: true },
);

describe('position', () => {
  it('comes back from its text as it went', () =>
    fc.assert(
      fc.property(position, (each) => {
        expect(decodePosition(encodePosition(each))).toEqual(each);
      }),
    ));

  it('refuses any text that it would not write itself with position.malformed', () =>
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.base64String(), fc.constantFrom('', 'AQ==', 'AgA', 'AQAA', 'AQABAIA')),
        (text) => {
          try {
            expect(encodePosition(decodePosition(text))).toBe(text);
          } catch (error) {
            expect(error).toMatchObject({ code: 'position.malformed' });
          }
        },
      ),
    ));

  it('treats an absent partition as its beginning', () => {
    expect(reaches({}, {})).toBe(true);
    expect(reaches({}, { 'muster.device/3': 1 })).toBe(false);
    expect(reaches({ 'muster.device/3': 2 }, { 'muster.device/3': 1 })).toBe(true);
  });
});
