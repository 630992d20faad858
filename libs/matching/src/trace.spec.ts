import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkRule, checkSchema, evaluate, type Attributes, type ExplainedCondition, trace, untold } from './index.js';
import { anyAttributes, anyRule, TEST_SCHEMA } from './testing.js';

const FROM = { source: 'device', at: '2026-11-30T09:00:00.000Z' } as const;
const traced = (source: string, device: Attributes) =>
  trace(checkRule(source, TEST_SCHEMA, 'selector'), { device }, FROM);

const everyPart = (condition: ExplainedCondition): ExplainedCondition[] => [
  condition,
  ...(condition.parts ?? []).flatMap(everyPart),
];

describe('the trace of a rule', () => {
  it('comes to what the evaluator says, in the whole and in every part taken by itself', () => {
    fc.assert(
      fc.property(anyRule(), anyAttributes(), (source, device) => {
        for (const part of everyPart(traced(source, device).condition)) {
          const { result, leaf } = evaluate(checkRule(part.condition, TEST_SCHEMA, 'selector'), { device });
          expect({ ...part, parts: [] }).toMatchObject({ result });
          expect(part.error !== undefined).toBe(leaf.reason === 'error');
          expect(part.because === 'missing').toBe(leaf.reason === 'missing');
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('has the parts that the evaluator did not need to look at', () => {
    const { condition } = traced('device.memory > 5 && (device.model == "b" || device.roaming)', {
      memory: 3n,
      model: 'b',
    });
    expect(condition).toMatchObject({
      op: 'and',
      result: false,
      parts: [
        {
          op: 'leaf',
          condition: 'device.memory > 5',
          result: false,
          values: [{ attribute: 'device.memory', value: 3 }],
        },
        { op: 'or', result: true, parts: [{ result: true }, { result: 'unknown', because: 'missing' }] },
      ],
    });
  });

  it('says of each value where it is from, and of what is missing its name', () => {
    const { condition } = traced('has(device.firmware) && semver(device.model, device.firmware) > 0', {
      model: '1.2.3',
    });
    expect(condition.parts?.[1]).toMatchObject({ result: 'unknown', because: 'missing' });
    expect(condition.parts?.[1]?.values).toEqual([
      { attribute: 'device.model', value: '1.2.3', ...FROM },
      { attribute: 'device.firmware', value: null, ...FROM },
    ]);
  });

  it('shows integers that JSON cannot hold as decimals', () => {
    const { condition } = traced('device.memory in device.slots', { memory: 2n ** 53n + 1n, slots: [1n, 2n ** 62n] });
    expect(condition.values?.map(({ value }) => value)).toEqual(['9007199254740993', [1, '4611686018427387904']]);
  });

  it('has no value where nobody has them', () => {
    fc.assert(
      fc.property(anyRule(), (source) => {
        for (const part of everyPart(untold(checkRule(source, TEST_SCHEMA, 'selector'), 'not-knowable'))) {
          expect(part).toMatchObject({ result: 'unknown', because: 'not-knowable' });
          expect(part.values).toBeUndefined();
        }
      }),
    );
  });
});

describe('what would have to change', () => {
  it.each([
    ['device.memory > 5', { memory: 3n }, [['device.memory > 5', true]]],
    [
      'device.memory > 5 && device.roaming',
      { memory: 3n },
      [
        ['device.memory > 5', true],
        ['device.roaming', true],
      ],
    ],
    ['device.memory > 5 || device.roaming', { memory: 3n }, [['device.memory > 5', true]]],
    ['(device.memory > 5 && device.load > 1.0) || !device.roaming', { roaming: true }, [['device.roaming', false]]],
    [
      '!(device.memory > 5 || device.roaming)',
      { memory: 9n, roaming: true },
      [
        ['device.memory > 5', false],
        ['device.roaming', false],
      ],
    ],
    [
      'device.roaming ? device.memory > 5 : device.memory > 1',
      { roaming: true, memory: 3n },
      [['device.memory > 5', true]],
    ],
    ['1 / 0 == 1 || false', {}, [['1 / 0 == 1', true]]],
  ] as const)('in %s', (source, device, changes) => {
    expect(traced(source, device).wouldMatchIf?.map(({ condition, to }) => [condition, to])).toEqual(changes);
  });

  it.each([
    ['what holds', 'device.roaming', { roaming: true }],
    ['what is constant', 'device.roaming && false', { roaming: true }],
    ['what would have to be both', 'device.roaming && !device.roaming', { roaming: true }],
  ] as const)('is not said of %s', (_, source, device) => expect(traced(source, device).wouldMatchIf).toBeNull());

  it('is enough, and nothing smaller is', () => {
    fc.assert(
      fc.property(anyLogic, anyTruths, (source, truths) => {
        const rule = checkRule(source, LOGIC, 'selector');
        const changes = trace(rule, { device: attributesOf(truths) }, FROM).wouldMatchIf;
        if (changes === null) {
          expect(evaluate(rule, { device: attributesOf(truths) }).result).toBe(true);
          return;
        }
        const holdsWith = (code: number): boolean =>
          evaluate(rule, { device: attributesOf(changedBy(truths, code)) }).result === true;
        const named = new Map(changes.map(({ condition, to }) => [condition, to]));
        const asNamed = truths.map((truth, at) => named.get(`device.b${at}`) ?? truth);
        expect(evaluate(rule, { device: attributesOf(asNamed) }).result).toBe(true);
        for (let code = 0; code < 3 ** LEAVES; code++)
          if (sizeOf(code) < changes.length) expect(holdsWith(code)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });
});

const LEAVES = 5;
const LOGIC = checkSchema({
  version: 1,
  attributes: Object.fromEntries(Array.from({ length: LEAVES }, (_, leaf) => [`b${leaf}`, { type: 'bool' }])),
});
type Leaf = boolean | undefined;
const anyTruths = fc.array(fc.constantFrom<Leaf>(true, false, undefined), { minLength: LEAVES, maxLength: LEAVES });
const attributesOf = (truths: readonly Leaf[]): Attributes =>
  Object.fromEntries(truths.flatMap((truth, at) => (truth === undefined ? [] : [[`b${at}`, truth]])));

/** A digit a leaf: left as it is, made true, made false. */
const digitsOf = (code: number): number[] => Array.from({ length: LEAVES }, (_, at) => Math.floor(code / 3 ** at) % 3);
const sizeOf = (code: number): number => digitsOf(code).filter((digit) => digit > 0).length;
const changedBy = (truths: readonly Leaf[], code: number): Leaf[] =>
  digitsOf(code).map((digit, at) => (digit === 0 ? truths[at] : digit === 1));

/** Each leaf stands once, so that they are independent. */
const anyLogic: fc.Arbitrary<string> = (() => {
  const over = (first: number, last: number): fc.Arbitrary<string> => {
    if (first === last) return fc.constantFrom(`device.b${first}`, `!device.b${first}`);
    const pair = fc
      .tuple(fc.constantFrom('&&', '||'), fc.integer({ min: first, max: last - 1 }), fc.constantFrom('', '!'))
      .chain(([operator, cut, not]) =>
        fc.tuple(over(first, cut), over(cut + 1, last)).map(([a, b]) => `${not}(${a} ${operator} ${b})`),
      );
    if (last - first < 2) return pair;
    const branch = fc
      .tuple(over(first, first), over(first + 1, first + 1), over(first + 2, last))
      .map(([a, b, c]) => `(${a} ? ${b} : ${c})`);
    return fc.oneof({ weight: 3, arbitrary: pair }, branch);
  };
  return over(0, LEAVES - 1);
})();
