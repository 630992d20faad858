import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JSON_DEPTH, JsonError, readJson } from './json.js';

const bytes = (text: string) => Buffer.from(text);

function refused(body: Uint8Array): string | undefined {
  try {
    readJson(body);
  } catch (error) {
    if (error instanceof JsonError) return error.fields[0]?.pointer;
  }
  throw new Error('it was read');
}

/** Values as clients send them: no name that every object has, no half of a surrogate pair, no U+0000, not too deep. */
const name = fc
  .string({ unit: 'grapheme' })
  .filter((text) => !Object.hasOwn(Object.prototype, text) && !text.includes('\0'));
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    name,
    fc.constantFrom('{', '[', '],[', '"', '\\', '\\"', '{"a":1,"a":1}', '1e999'),
    fc.array(tie('value')),
    fc.dictionary(name, tie('value')),
  ),
}));

describe('a JSON body', () => {
  it('is read as JSON.parse reads it', () => {
    fc.assert(
      fc.property(value, fc.constantFrom(0, 2), (sent, indent) => {
        const text = JSON.stringify(sent, null, indent);
        expect(readJson(bytes(text))).toEqual(JSON.parse(text));
      }),
    );
  });

  it.each([
    ['nothing', '', ''],
    ['what is no JSON', '{"a":}', ''],
    ['a member named twice', '{"a":[{"b":1,"c":{"b":2},"b":3}]}', '/a/0/b'],
    ['a member named twice in different spelling', '{"a":1,"\\u0061":2}', '/a'],
    ['a member that every object inherits', '{"attributes":{"constructor":1}}', '/attributes/constructor'],
    ['a prototype', '{"__proto__":{"isAdmin":true}}', '/__proto__'],
    ['a prototype in disguise', '{"\\u005f_proto__":1}', '/__proto__'],
    ['a number beyond a double', '{"a":[1,2,-1e400]}', '/a/2'],
    ['U+0000', '{"a/b":"x\\u0000"}', '/a~1b'],
    ['half of a surrogate pair', '["x","\\ud800"]', '/1'],
  ])('is refused with %s, and the place is named', (_, text, pointer) => {
    expect(refused(bytes(text))).toBe(pointer);
  });

  it('is refused when it is no UTF-8', () => {
    expect(refused(Buffer.concat([bytes('{"a":"'), Buffer.of(0xc3, 0x28), bytes('"}')]))).toBe('');
  });

  it('is refused when it is nested deeper than any route asks, and costs no stack', () => {
    const nested = (depth: number) => bytes('['.repeat(depth) + ']'.repeat(depth));
    expect(readJson(nested(JSON_DEPTH))).toBeDefined();
    expect(refused(nested(JSON_DEPTH + 1))).toBe('/0'.repeat(JSON_DEPTH));
    expect(refused(nested(100_000))).toBe('/0'.repeat(JSON_DEPTH));
  });

  it('takes the same name in different objects, and texts that look like structure', () => {
    expect(readJson(bytes('[{"a":"a"},{"a":"{\\"a\\":1,\\"a\\":2}"}]'))).toHaveLength(2);
  });
});
