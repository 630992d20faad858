import { describe, expect, it } from 'vitest';
import { checkAttributes, checkSchema, checkSuccessor, MatchingError, type AttributeSchema } from './index.js';
import { TEST_SCHEMA } from './testing.js';

/** Code and pointers of the refusal. */
function refusal(run: () => unknown): { code: string; pointers: string[]; text: string } {
  try {
    run();
  } catch (error) {
    if (!(error instanceof MatchingError)) throw error;
    return {
      code: error.code,
      pointers: error.fields.map(({ pointer }) => pointer),
      text: JSON.stringify([error.message, error.fields, error.details]),
    };
  }
  throw new Error('was not refused');
}

describe('attribute schema', () => {
  it('is read with every type, a description and a personal mark', () => {
    const schema = {
      version: 3,
      attributes: { imei: { type: 'string', description: 'of the handset', personal: true } },
    };
    expect(checkSchema(schema)).toEqual(schema);
  });

  it.each<[string, unknown, string]>([
    ['no object', null, ''],
    ['no version', { attributes: {} }, '/version'],
    ['a version that is no integer', { version: 1.5, attributes: {} }, '/version'],
    ['attributes that are a list', { version: 1, attributes: [] }, '/attributes'],
    ['a field of its own', { version: 1, attributes: {}, extra: 1 }, '/extra'],
    ['a type that is not known', { version: 1, attributes: { a: { type: 'bytes' } } }, '/attributes/a/type'],
    ['a type that every object has', { version: 1, attributes: { a: { type: 'constructor' } } }, '/attributes/a/type'],
    ['a name with a hyphen', { version: 1, attributes: { 'a-b': { type: 'int' } } }, '/attributes/a-b'],
    ['a name that is a path', { version: 1, attributes: { '../a': { type: 'int' } } }, '/attributes/..~1a'],
    ['a name that is a word of CEL', { version: 1, attributes: { in: { type: 'int' } } }, '/attributes/in'],
    [
      'a name that is too long',
      { version: 1, attributes: { ['a'.repeat(65)]: { type: 'int' } } },
      `/attributes/${'a'.repeat(65)}`,
    ],
    [
      'the name of the prototype',
      JSON.parse('{"version":1,"attributes":{"__proto__":{"type":"int"}}}'),
      '/attributes/__proto__',
    ],
    [
      'a mark that is no boolean',
      { version: 1, attributes: { a: { type: 'int', personal: 1 } } },
      '/attributes/a/personal',
    ],
  ])('with %s is refused with schema.malformed', (_name, input, pointer) => {
    const { code, pointers } = refusal(() => checkSchema(input));
    expect(code).toBe('schema.malformed');
    expect(pointers).toContain(pointer);
  }); // prettier-ignore

  const next = (attributes: AttributeSchema['attributes'], version = 2): AttributeSchema => ({ version, attributes });
  const first: AttributeSchema = {
    version: 1,
    attributes: { a: { type: 'int' }, b: { type: 'string', personal: true } },
  };

  /** The compiler takes a literal's `constructor` for the one of every object, unless its type is told. */
  const INT = { type: 'int' } as const;

  it('may grow', () => {
    expect(() => checkSuccessor(first, next({ ...first.attributes, constructor: INT }))).not.toThrow();
  });

  it.each<[string, AttributeSchema, string]>([
    ['loses a name', next({ a: { type: 'int' } }), '/attributes/b'],
    ['changes a type', next({ ...first.attributes, a: { type: 'double' } }), '/attributes/a/type'],
    ['is no longer personal', next({ ...first.attributes, b: { type: 'string' } }), '/attributes/b/personal'],
    ['skips a version', next(first.attributes, 3), '/version'],
    ['keeps its version', next(first.attributes, 1), '/version'],
  ])('that %s is refused with schema.not-additive', (_name, successor, pointer) => {
    const { code, pointers } = refusal(() => checkSuccessor(first, successor));
    expect(code).toBe('schema.not-additive');
    expect(pointers).toEqual([pointer]);
  });

  it('counts a name that every object has as lost when it is', () => {
    const old = next({ constructor: INT }, 1);
    expect(refusal(() => checkSuccessor(old, next({}))).pointers).toEqual(['/attributes/constructor']);
  });
});

describe('attributes', () => {
  it('become what their types say, integers 64-bit', () => {
    const values = { memory: 5, load: 2, model: 'é', roaming: false, apps: [], slots: ['9223372036854775807', 1, 2n] };
    expect(checkAttributes(TEST_SCHEMA, values)).toEqual({ ...values, memory: 5n, slots: [2n ** 63n - 1n, 1n, 2n] });
  });

  it('beyond 2^53 are exact as decimal strings and refused as numbers', () => {
    expect(checkAttributes(TEST_SCHEMA, { memory: '-9223372036854775808' })).toEqual({ memory: -(2n ** 63n) });
    expect(refusal(() => checkAttributes(TEST_SCHEMA, { memory: 2 ** 53 })).code).toBe('attributes.malformed');
  });

  it.each<[string, unknown]>([
    ['memory', 1.5],
    ['memory', '9223372036854775808'],
    ['memory', '0x10'],
    ['memory', ''],
    ['memory', null],
    ['load', Number.NaN],
    ['load', '1.5'],
    ['model', 5],
    ['model', 'x'.repeat(1_025)],
    ['model', '\ud800'],
    ['roaming', 'true'],
    ['apps', 'mail'],
    ['apps', [1]],
    ['apps', new Array(65).fill('a')],
    ['slots', [1, null]],
    ['colour', 'red'],
    ['hasOwnProperty', 'x'],
  ])('refuse %s = %j by name with attributes.malformed', (name, value) => {
    const { code, pointers } = refusal(() => checkAttributes(TEST_SCHEMA, { roaming: true, [name]: value }));
    expect({ code, pointers }).toEqual({ code: 'attributes.malformed', pointers: [`/${name}`] });
  });

  it('refuse the name of the prototype, and give nothing one', () => {
    const values: unknown = JSON.parse('{"__proto__": {"model": "MX"}}');
    expect(refusal(() => checkAttributes(TEST_SCHEMA, values)).pointers).toEqual(['/__proto__']);
    expect(Object.keys(checkAttributes(TEST_SCHEMA, { constructor: 'x' }))).toEqual(['constructor']);
  });

  it('are never quoted in the refusal', () => {
    const { text } = refusal(() =>
      checkAttributes(TEST_SCHEMA, { memory: 'canary-7f3a', apps: ['canary-7f3a', 1], unknown: 'canary-7f3a' }),
    );
    expect(text).not.toContain('canary');
  });

  it.each([null, [], 'x', 5])('refuse %j, which is no object', (input) => {
    expect(refusal(() => checkAttributes(TEST_SCHEMA, input)).pointers).toEqual(['']);
  });
});
