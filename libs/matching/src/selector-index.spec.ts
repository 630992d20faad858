import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Attributes, checkAttributes, checkRule, evaluate } from './index.js';
import { SelectorIndex } from './selector-index.js';
import { anyAttributes, anyRule, TEST_SCHEMA } from './testing.js';

const rule = (source: string) => checkRule(source, TEST_SCHEMA, 'selector');
const device = (values: object) => checkAttributes(TEST_SCHEMA, values);

function indexOf(sources: readonly string[]): SelectorIndex<string> {
  const index = new SelectorIndex<string>();
  for (const source of sources) index.set(source, rule(source));
  return index;
}

/** Which of them a walk of every rule finds. */
const walked = (sources: readonly string[], attributes: Attributes): string[] =>
  [...new Set(sources)].filter((source) => evaluate(rule(source), { device: attributes }).result === true).sort();

describe('an index over selectors', () => {
  it('finds what is true of a device, and nothing else', () => {
    const index = indexOf([
      'device.model == "a" && device.memory >= 512',
      'device.model in ["a", "b"] || device.roaming',
      'device.model != "a"',
      'has(device.load)',
      '!has(device.load)',
      '"radio" in device.apps && "maps" in device.apps',
      'semver(device.firmware, "2.0.0") >= 0',
      'false',
    ]);
    expect(index.matching(device({ model: 'a', memory: 511 })).sort()).toEqual([
      '!has(device.load)',
      'device.model in ["a", "b"] || device.roaming',
    ]);
    expect(index.matching(device({ apps: ['maps', 'radio'], firmware: '2.0.0-rc.1', load: 0 })).sort()).toEqual([
      '"radio" in device.apps && "maps" in device.apps',
      'has(device.load)',
    ]);
    expect(index.matching({})).toEqual(['!has(device.load)']);
  });

  it.each([
    ['semver(device.firmware, "1.2.3") == 0', ['1.2.3', '1.2.3+build'], ['1.2.3-rc.1', '1.2.4', 'x']],
    ['semver(device.firmware, "1.2.3") < 0', ['1.2.3-rc.1', '0.9.9'], ['1.2.3', '200000.0.0', 'x']],
    ['semver(device.firmware, "1.2.3-rc.2") > 0', ['1.2.3', '1.2.3-rc.10'], ['1.2.3-rc.1']],
    ['!(semver(device.firmware, "1.0.0") < 0)', ['1.0.0', '200000.0.0'], ['1.0.0-a', '01.0.0']],
  ])('orders versions as evaluation does: %s', (source, those, others) => {
    const index = indexOf([source]);
    for (const firmware of those) expect(index.matching(device({ firmware })), firmware).toEqual([source]);
    for (const firmware of others) expect(index.matching(device({ firmware })), firmware).toEqual([]);
  });

  it.each([
    ['device.memory == 9007199254740993', '9007199254740993', '9007199254740992'],
    ['device.memory > 9007199254740991', '9007199254740992', '9007199254740991'],
    ['device.memory < 2.5', 2, 3],
    ['device.memory in [1, 2]', 2, 3],
  ])('tells integers apart that a double does not: %s', (source, one, other) => {
    const index = indexOf([source]);
    expect(index.matching(device({ memory: one }))).toEqual([source]);
    expect(index.matching(device({ memory: other }))).toEqual([]);
  });

  it('finds the same as a walk of every rule, whatever rules and devices', () => {
    let found = 0;
    fc.assert(
      fc.property(
        fc.array(anyRule(), { minLength: 1, maxLength: 40 }),
        fc.array(anyAttributes()),
        (sources, devices) => {
          const index = indexOf(sources);
          for (const attributes of devices) {
            const expected = walked(sources, attributes);
            found += expected.length;
            expect(index.matching(attributes).sort()).toEqual(expected);
          }
        },
      ),
      { numRuns: Number(process.env.MUSTER_PROPERTY_RUNS ?? 300) },
    );
    expect(found).toBeGreaterThan(1_000);
  });

  it('still does when selectors have come, changed and gone', () => {
    const step = fc.record({ key: fc.nat(30), source: fc.option(anyRule(), { nil: undefined }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.array(anyAttributes(), { maxLength: 5 }), (steps, devices) => {
        const index = new SelectorIndex<number>();
        const kept = new Map<number, string>();
        for (const { key, source } of steps) {
          if (source === undefined) expect(index.delete(key)).toBe(kept.delete(key));
          else {
            index.set(key, rule(source));
            kept.set(key, source);
          }
        }
        expect(index.size).toBe(kept.size);
        for (const attributes of devices) {
          const isTrue = ([, source]: [number, string]) =>
            evaluate(rule(source), { device: attributes }).result === true;
          const expected = [...kept].filter(isTrue).map(([key]) => key);
          expect(new Set(index.matching(attributes))).toEqual(new Set(expected));
        }
      }),
      { numRuns: Number(process.env.MUSTER_PROPERTY_RUNS ?? 200) },
    );
  });

  it('holds when it has grown to thousands, with bounds and values that many share', () => {
    const sources = Array.from(
      { length: 5_000 },
      (_, i) =>
        `device.memory >= ${i} && device.memory < ${i + 100 + (i % 7)} && device.model ${i % 3 === 0 ? '==' : '!='} "m${i % 5}"`,
    );
    const index = indexOf(sources);
    for (let i = 0; i < 5_000; i += 2) index.delete(sources[i]!);
    const left = sources.filter((_, i) => i % 2 === 1);
    for (const memory of [0, 50, 1_000, 2_500, 4_999, 5_100]) {
      const attributes = device({ memory, model: `m${memory % 5}` });
      expect(index.matching(attributes).sort()).toEqual(walked(left, attributes));
    }
  });

  it('holds while thousands that share their values come and go, and a look-up leaves no trace', () => {
    const index = new SelectorIndex<number>();
    const kept = new Map<number, string>();
    const templates: ((n: number) => string)[] = [
      (n) => `device.model == "m${n % 3}" && device.memory > ${n % 50}`,
      (n) => `!(device.model in ["m${n % 3}", "m${n % 7}"]) && device.memory <= ${n % 90}`,
      (n) => `"a${n % 4}" in device.apps && "a${n % 5}" in device.apps && "a${n % 3}" in device.apps`,
      (n) => `semver(device.firmware, "1.${n % 6}.0") >= 0 || "a${n % 2}" in device.apps`,
      (n) => `!has(device.memory) && device.model != "m${n % 2}"`,
    ];
    const devices = [
      { model: 'm1', memory: 40, apps: ['a0', 'a1', 'a2', 'a3', 'a4'], firmware: '1.3.0' },
      { model: 'm2', memory: 0, apps: ['a1'], firmware: '200000.0.0' },
      { model: 'm0', apps: [] },
    ].map(device);
    const found = (attributes: Attributes) => index.matching(attributes).sort((a, b) => a - b);
    const expected = (attributes: Attributes) =>
      [...kept]
        .filter(([, source]) => evaluate(rule(source), { device: attributes }).result === true)
        .map(([key]) => key)
        .sort((a, b) => a - b);
    for (let n = 0; n < 6_000; n += 1) {
      const key = (n * 7_919) % 2_500;
      if (n % 3 === 2) expect(index.delete(key)).toBe(kept.delete(key));
      else {
        const source = templates[(n * 31) % templates.length]!(n);
        index.set(key, rule(source));
        kept.set(key, source);
      }
      if (n % 1_500 !== 1_499) continue;
      for (const attributes of [...devices, ...devices]) expect(found(attributes)).toEqual(expected(attributes));
    }
  });

  it('evaluates what would be too many alternatives', () => {
    const source = Array.from({ length: 12 }, (_, i) => `(device.memory == ${i} || device.model == "${i}")`).join(
      ' && ',
    );
    const index = indexOf([source, `!(${source})`]);
    expect(index.matching(device({ memory: 1, model: 'x' }))).toEqual([`!(${source})`]);
    expect(index.matching({})).toEqual([]);
  });
});
