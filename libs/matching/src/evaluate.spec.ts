import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkRule, checkSchema, evaluate, type Attributes, type Verdict } from './index.js';
import { anyAttributes, anyRule, anyTwoRules, TEST_SCHEMA } from './testing.js';

const verdictOf = (source: string, device: Attributes): Verdict =>
  evaluate(checkRule(source, TEST_SCHEMA, 'selector'), { device });
const resultOf = (source: string, device: Attributes): Verdict['result'] => verdictOf(source, device).result;

/** Logic without values: leaves are true, false, unknown or error. */
type Truth = 'true' | 'false' | 'unknown' | 'error';
const TRUTHS: readonly Truth[] = ['true', 'false', 'unknown', 'error'];
type Tree = number | { op: '&&' | '||'; left: Tree; right: Tree } | { op: '!'; operand: Tree };

const LEAVES = 4;
const LOGIC = checkSchema({
  version: 1,
  attributes: Object.fromEntries(Array.from({ length: LEAVES }, (_, leaf) => [`b${leaf}`, { type: 'bool' }])),
});

/** Each leaf stands once, in source order 0, 1, 2 …, so that "the first" is the lowest number. */
const anyTree = (): fc.Arbitrary<Tree> => {
  const over = (first: number, last: number): fc.Arbitrary<Tree> =>
    first === last
      ? fc.constant(first)
      : fc
          .record({ op: fc.constantFrom<'&&' | '||'>('&&', '||'), cut: fc.integer({ min: first, max: last - 1 }) })
          .chain(({ op, cut }) =>
            fc.record({ op: fc.constant(op), left: negated(over(first, cut)), right: negated(over(cut + 1, last)) }),
          );
  return negated(over(0, LEAVES - 1));
};
const negated = (tree: fc.Arbitrary<Tree>): fc.Arbitrary<Tree> =>
  fc.oneof(
    { weight: 3, arbitrary: tree },
    { weight: 1, arbitrary: tree.map((operand): Tree => ({ op: '!', operand })) },
  );

/** The tables of the language, written down once more. */
function truthOf(tree: Tree, leaves: readonly Truth[]): Truth {
  if (typeof tree === 'number') return leaves[tree] as Truth;
  if (tree.op === '!') {
    const operand = truthOf(tree.operand, leaves);
    return operand === 'true' ? 'false' : operand === 'false' ? 'true' : operand;
  }
  const both = [truthOf(tree.left, leaves), truthOf(tree.right, leaves)];
  const [absorbing, neutral]: [Truth, Truth] = tree.op === '&&' ? ['false', 'true'] : ['true', 'false'];
  return ([absorbing, 'unknown', 'error'] as const).find((truth) => both.includes(truth)) ?? neutral;
}

function sourceOf(tree: Tree, leaves: readonly Truth[]): string {
  if (typeof tree === 'number') return leaves[tree] === 'error' ? `(1 / 0 == ${tree} || false)` : `device.b${tree}`;
  if (tree.op === '!') return `!(${sourceOf(tree.operand, leaves)})`;
  return `(${sourceOf(tree.left, leaves)} ${tree.op} ${sourceOf(tree.right, leaves)})`;
}

function verdictOfTree(tree: Tree, leaves: readonly Truth[]): { truth: Truth; leaf: number } {
  const known = leaves.flatMap((truth, at) =>
    truth === 'true' || truth === 'false' ? [[`b${at}`, truth === 'true']] : [],
  );
  const rule = checkRule(sourceOf(tree, leaves), LOGIC, 'selector');
  const { result, leaf } = evaluate(rule, { device: Object.fromEntries(known) as Attributes });
  const truth = leaf.reason === 'error' ? 'error' : (String(result) as Truth);
  return { truth, leaf: Number(/\d$/.exec(leaf.source)?.[0]) };
}

/** By trying everything: whether a leaf as it is leaves no other outcome, whatever the other leaves are. */
function fixesAlone(tree: Tree, leaves: readonly Truth[], leaf: number): boolean {
  const outcomes = new Set<Truth>();
  for (let code = 0; code < TRUTHS.length ** LEAVES; code++) {
    const others = leaves.map((_, at) => TRUTHS[Math.floor(code / TRUTHS.length ** at) % TRUTHS.length] as Truth);
    outcomes.add(truthOf(tree, others.with(leaf, leaves[leaf] as Truth)));
  }
  return outcomes.size === 1;
}

const anyLeaves = fc.array(fc.constantFrom(...TRUTHS), { minLength: LEAVES, maxLength: LEAVES });

describe('three-valued logic', () => {
  it('follows the tables: absorbing value, then unknown, then error, then the rest', () => {
    fc.assert(
      fc.property(anyTree(), anyLeaves, (tree, leaves) => {
        expect(verdictOfTree(tree, leaves).truth).toBe(truthOf(tree, leaves));
      }),
      { numRuns: 2_000 },
    );
  });

  it('names the first leaf that alone fixes the result; where none does, one that is as the result is', () => {
    fc.assert(
      fc.property(anyTree(), anyLeaves, (tree, leaves) => {
        const { truth, leaf } = verdictOfTree(tree, leaves);
        const first = leaves.findIndex((_, at) => fixesAlone(tree, leaves, at));
        if (first >= 0) expect(leaf).toBe(first);
        else if (truth === 'unknown' || truth === 'error') expect(leaves[leaf]).toBe(truth);
        else expect(['true', 'false']).toContain(leaves[leaf]);
      }),
      { numRuns: 500 },
    );
  });

  it('does not mind the order of operands', () => {
    fc.assert(
      fc.property(anyTwoRules(), anyAttributes(), ([a, b], device) => {
        for (const operator of ['&&', '||'])
          expect(resultOf(`(${a}) ${operator} (${b})`, device)).toBe(resultOf(`(${b}) ${operator} (${a})`, device));
      }),
      { numRuns: 500 },
    );
  });

  it("obeys De Morgan's laws", () => {
    fc.assert(
      fc.property(anyTwoRules(), anyAttributes(), ([a, b], device) => {
        expect(resultOf(`!((${a}) && (${b}))`, device)).toBe(resultOf(`!(${a}) || !(${b})`, device));
        expect(resultOf(`!((${a}) || (${b}))`, device)).toBe(resultOf(`!(${a}) && !(${b})`, device));
      }),
      { numRuns: 500 },
    );
  });

  it('never goes back on a definite result when more attributes become known, has() apart', () => {
    const withoutHas = anyRule().filter((source) => !source.includes('has('));
    fc.assert(
      fc.property(withoutHas, anyAttributes(), anyAttributes(), (source, more, some) => {
        const before = verdictOf(source, some);
        if (before.result === 'unknown' || before.leaf.reason === 'error') return;
        expect(resultOf(source, { ...more, ...some })).toBe(before.result);
      }),
      { numRuns: 1_500 },
    );
  });

  it('is never unknown when nothing is missing', () => {
    const complete: Attributes = {
      memory: 1n,
      load: 0.5,
      model: 'a',
      firmware: '1.2.3',
      roaming: true,
      apps: ['a'],
      slots: [1n],
      constructor: 'b',
      toString: 2n,
    }; // prettier-ignore
    fc.assert(
      fc.property(anyRule(), anyAttributes(), (source, some) => {
        expect(resultOf(source, { ...complete, ...some })).not.toBe('unknown');
      }),
      { numRuns: 1_000 },
    );
  });

  it('names a missing attribute whenever it is unknown, and a leaf that is part of the rule always', () => {
    fc.assert(
      fc.property(anyRule(), anyAttributes(), (source, device) => {
        const { result, leaf } = verdictOf(source, device);
        expect(source.slice(leaf.start, leaf.end)).toBe(leaf.source);
        if (result !== 'unknown') return;
        const name = (leaf.attribute ?? '').replace('device.', '');
        expect(leaf.reason).toBe('missing');
        expect(leaf.source).toContain(leaf.attribute);
        expect(Object.hasOwn(device, name)).toBe(false);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('names that every object has', () => {
  it('are missing unless given, also in an object without prototype', () => {
    for (const device of [{}, Object.create(null) as Attributes]) {
      expect(resultOf('device.constructor == "x"', device)).toBe('unknown');
      expect(resultOf('has(device.toString)', device)).toBe(false);
    }
  });

  it('are not taken from the prototype of what is handed over', () => {
    const inherited = Object.create({ model: 'MX' }) as Attributes;
    expect(resultOf('device.model == "MX"', inherited)).toBe('unknown');
  });
});

describe('values that are not what the schema says', () => {
  it('make the rule false by an error instead of throwing', () => {
    const wrong = { memory: 5, apps: 'x', roaming: 'yes' } as unknown as Attributes;
    for (const source of [
      'device.memory + 1 > 2',
      '"x" in device.apps',
      'device.roaming',
      'device.apps.exists(a, true)',
    ])
      expect(verdictOf(source, wrong)).toMatchObject({ result: false, leaf: { reason: 'error', error: 'type' } });
  });
});
