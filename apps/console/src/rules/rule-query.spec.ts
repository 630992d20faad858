import { describe, expect, it } from 'vitest';
import { type Attribute, attributesOf, fromCel, toCel } from './rule-query.js';

const SCHEMA: Attribute[] = [
  { name: 'os', type: 'string', description: '' },
  { name: 'freeMiB', type: 'int', description: '' },
  { name: 'nfc', type: 'bool', description: '' },
];
const rule = (field: string, operator: string, value: unknown) => ({
  combinator: 'and',
  rules: [{ field: `device.${field}`, operator, value }],
});

describe('a rule, built', () => {
  it('compares as the schema types it, whatever was typed', () => {
    expect(toCel(rule('freeMiB', '>=', '64'), SCHEMA)).toBe('device.freeMiB >= 64');
    expect(toCel(rule('os', '=', '12'), SCHEMA)).toBe('device.os == "12"');
    expect(toCel(rule('nfc', '=', 'false'), SCHEMA)).toBe('device.nfc == false');
  });

  it('cannot be broken out of by a value', () => {
    const text = (value: string) => toCel(rule('os', '=', value), SCHEMA);
    expect(text('a" || true || "b')).toBe(String.raw`device.os == "a\" || true || \"b"`);
    expect(text(String.raw`a\" || true`)).toBe(String.raw`device.os == "a\\\" || true"`);
    expect(text(String.raw`a${'\\'}`)).toBe(String.raw`device.os == "a\\"`);
  });

  it('is no rule while it is empty', () => expect(toCel({ combinator: 'and', rules: [] }, SCHEMA)).toBe(''));
});

describe('a rule, written', () => {
  it.each([
    'device.os.startsWith("harmony") && device.memoryFree > 1000000',
    'device.a > 1 && (device.b == "q" || device.c.contains("z"))',
    'device.model in ["X1", "X2"]',
    'device.nfc == true',
  ])('comes back from the builder as it was: %s', (cel) => {
    const group = fromCel(cel);
    expect(group && toCel(group, [])).toBe(cel);
  });

  it.each([
    'device.os == "x" && device.nfc',
    '"x" in device.apps',
    'has(device.nfc)',
    'semver(device.v) >= semver("1.2")',
    'not cel (((',
  ])('stays as it is where the builder would lose of it: %s', (cel) => expect(fromCel(cel)).toBeUndefined());

  it('that is empty is an empty builder', () => expect(fromCel('  ')?.rules).toEqual([]));
});

it('takes its attributes from the schema', () => {
  expect(
    attributesOf({
      version: 1,
      attributes: { os: { type: 'string', description: 'OS' }, x: {} } as unknown as Record<string, never>,
    }),
  ).toEqual([
    { name: 'os', type: 'string', description: 'OS' },
    { name: 'x', type: 'string', description: '' },
  ]);
});
