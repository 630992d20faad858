import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkRule, evaluate, MatchingError, RULE_LIMITS, type Attributes, type RuleKind } from './index.js';
import { stepsOf } from './evaluate.js';
import { anyAttributes, anyRule, TEST_SCHEMA } from './testing.js';

const check = (source: string, kind: RuleKind = 'selector') => checkRule(source, TEST_SCHEMA, kind);

function refusal(source: unknown): MatchingError {
  try {
    checkRule(source, TEST_SCHEMA, 'selector', '/selector');
  } catch (error) {
    if (error instanceof MatchingError) return error;
    throw error;
  }
  throw new Error('was not refused');
}

/** Every attribute as long as it may be: what the cost of a rule is computed for. */
const LARGEST: Attributes = {
  memory: 1n,
  load: 1,
  model: 'a'.repeat(1_024),
  firmware: '1.0.0',
  roaming: false,
  apps: Array.from({ length: 64 }, (_, at) => String(at).padEnd(1_024, 'x')),
  slots: Array.from({ length: 64 }, (_, at) => BigInt(at)),
};

describe('reading a rule', () => {
  it('says where a refused part stands and which field it is in', () => {
    const error = refusal('device.roaming && device.colour == "red"');
    expect(error.code).toBe('rule.unknown-attribute');
    expect(error.details).toEqual({ start: 18, end: 31 });
    expect(error.fields).toEqual([{ pointer: '/selector', message: 'device.colour is not in the schema' }]);
  });

  it.each([[undefined], [null], [5], [{}], [['true']]])('refuses %j, which is no text, with rule.parse', (source) => {
    expect(refusal(source).code).toBe('rule.parse');
  });

  it('refuses half of a surrogate pair with rule.parse', () => {
    expect(refusal('device.model == "\ud800"').code).toBe('rule.parse');
  });

  it('lets a trigger, and only a trigger, read the event', () => {
    expect(check('event.battery > 20', 'trigger').kind).toBe('trigger');
    expect(refusal('event.battery > 20').code).toBe('rule.unknown-attribute');
  });

  it('counts a long chain of && as one level, so that 120 conditions are no nesting', () => {
    expect(check(Array.from({ length: 120 }, () => 'device.roaming').join(' && ')).root.op).toBe('and');
  });

  it('keeps parentheses inside a string or a comment apart from those of the rule', () => {
    const source = '("(" + device.model) == "x)" // )(\n && true';
    expect(evaluate(check(source), { device: { model: 'x' } }).leaf.source).toBe('("(" + device.model) == "x)"');
  });
});

describe('rule bombs', () => {
  const bombs: [string, string, string][] = [
    ['a long text', `device.model == "${'a'.repeat(5_000)}"`, 'rule.too-large'],
    ['a text whose UTF-8 is long', `device.model == "${'é'.repeat(2_100)}"`, 'rule.too-large'],
    ['4 000 negations', `${'!'.repeat(4_000)}device.roaming`, 'rule.too-large'],
    ['2 000 parentheses', `${'('.repeat(2_000)}true${')'.repeat(2_000)}`, 'rule.too-large'],
    ['500 nested lists', `${'['.repeat(500)}1${']'.repeat(500)} == []`, 'rule.too-large'],
    ['nested ternaries', `${'device.roaming ? true : '.repeat(100)}true`, 'rule.too-large'],
    ['alternating && and ||', `${'device.roaming && ('.repeat(40)}true${') || true'.repeat(40)}`, 'rule.too-large'],
    ['a thousand items', `device.memory in [${'1,'.repeat(999)}1]`, 'rule.too-large'],
    [
      'three nested all()',
      'device.apps.all(a, device.apps.all(b, device.apps.all(c, a == c)))',
      'rule.nested-comprehension',
    ],
    [
      'a comprehension hidden in a branch',
      'device.apps.all(a, (true ? device.apps.all(b, true) : false))',
      'rule.nested-comprehension',
    ],
    [
      'a comprehension over the result of another',
      '[device.apps.all(a, true)].all(a, [device.apps.all(a, true)] == [a])',
      'rule.nested-comprehension',
    ],
    [
      'a list that grows by itself inside a loop',
      `device.apps.all(a, ${'a in device.apps + device.apps && '.repeat(4)}true)`,
      'rule.cost',
    ],
    ['an expression that backtracks', 'device.model.matches("^(a+)+$")', 'rule.unknown-function'],
  ]; // prettier-ignore

  it.each(bombs)('refuses %s with a code', (_name, source, code) => {
    expect(refusal(source).code).toBe(code);
  });

  it('never takes more steps than the cost that was computed, nor more than the limit', () => {
    fc.assert(
      fc.property(anyRule(), fc.oneof(anyAttributes(), fc.constant(LARGEST)), (source, device) => {
        const rule = check(source);
        expect(rule.cost).toBeLessThanOrEqual(RULE_LIMITS.cost);
        expect(stepsOf(rule, { device })).toBeLessThanOrEqual(rule.cost);
      }),
      { numRuns: 1_000 },
    );
  });

  it('comes near its cost on the longest lists, so the bound is no fiction', () => {
    const rule = check('device.apps.all(a, a != "x" && a != "y" && a != "z")');
    const steps = stepsOf(rule, { device: LARGEST });
    expect(steps).toBeGreaterThan(rule.cost / 4);
    expect(steps).toBeLessThanOrEqual(rule.cost);
  });
});

describe('rubbish', () => {
  const words =
    'device event . model memory apps ( ) [ ] { } " \' r" """ // \n && || ! - + * / % == != < in has exists all size semver x , ? : 1 1u 0x 9e9 b"" null true \\ \0 é \u{1f600} ` __proto__ constructor matches'.split(
      ' ',
    ); // prettier-ignore

  it('is read or refused with a rule.* code and a place inside the text, and nothing else happens', () => {
    const soup = fc.array(fc.constantFrom(...words), { maxLength: 40 }).map((some) => some.join(' '));
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 80 }), soup), (source) => {
        try {
          expect(check(source).source).toBe(source);
        } catch (error) {
          expect(error).toBeInstanceOf(MatchingError);
          const { code, details } = error as MatchingError;
          expect(code).toMatch(/^rule\./);
          expect(details.start).toBeGreaterThanOrEqual(0);
          expect(details.end).toBeLessThanOrEqual(source.length);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it('made of a good rule with one character changed is read or refused', () => {
    fc.assert(
      fc.property(anyRule(), fc.nat(), fc.constantFrom(...'()[]".,!&|?:1 x'), (source, at, character) => {
        const place = at % source.length;
        const changed = source.slice(0, place) + character + source.slice(place + 1);
        try {
          evaluate(check(changed), { device: {} });
        } catch (error) {
          expect(error).toBeInstanceOf(MatchingError);
        }
      }),
      { numRuns: 1_500 },
    );
  });
});
