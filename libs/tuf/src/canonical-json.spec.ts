import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from './canonical-json.js';

const text = (value: unknown): string => Buffer.from(canonicalJson(value)).toString('utf8');
const malformed = (pointer: string) =>
  expect.objectContaining({ code: 'tuf.malformed', details: expect.objectContaining({ pointer }) as unknown }) as Error;

describe('canonical JSON', () => {
  it('orders keys, drops white space, escapes quote and backslash only', () => {
    expect(text({ b: [1, true, null], a: 'q"\\\n\t' })).toBe('{"a":"q\\"\\\\\n\t","b":[1,true,null]}');
    expect(text({ A: {}, a: [], '': '' })).toBe('{"":"","A":{},"a":[]}');
  });

  it('orders keys by code point where UTF-16 would differ', () => {
    expect(text({ '\u{1f600}': 1, '\uffee': 2 })).toBe('{"\uffee":2,"\u{1f600}":1}');
  });

  it('keeps names that are dangerous elsewhere', () => {
    const value: unknown = JSON.parse('{"constructor":1,"__proto__":{"x":2},"hasOwnProperty":3}');
    expect(text(value)).toBe('{"__proto__":{"x":2},"constructor":1,"hasOwnProperty":3}');
  });

  it.each([
    ['a fraction', { custom: { price: 1.5 } }, '/custom/price'],
    ['an integer beyond 2^53', [2 ** 53], '/0'],
    ['not a number', [Number.NaN], '/0'],
    ['a lone surrogate', { a: '\ud800' }, '/a'],
    ['undefined in a list', [undefined], '/0'],
    ['a function', { f: () => 0 }, '/f'],
  ])('refuses %s with tuf.malformed and its place', (_name, value, pointer) => {
    expect(() => canonicalJson(value)).toThrow(malformed(pointer));
  });

  it('refuses nesting that would exhaust the stack with tuf.malformed', () => {
    const nested: unknown = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000));
    expect(() => canonicalJson(nested)).toThrow(expect.objectContaining({ code: 'tuf.malformed' }) as Error);
  });

  it('does not depend on the order in which keys were written', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.integer()), (map) => {
        expect(text(Object.fromEntries(Object.entries(map).reverse()))).toBe(text(map));
      }),
    );
  });
});
