import { celEnv, celFunc, CelScalar, isCelError, parse, plan, type CelInput } from '@bufbuild/cel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkRule, evaluate, type Attributes } from './index.js';
import { compareVersions } from './semver.js';
import { anyAttributes, anyRule, TEST_SCHEMA } from './testing.js';

/** The one function of the profile that is not CEL's own. */
const semver = celFunc('semver', [CelScalar.STRING, CelScalar.STRING], CelScalar.INT, (a, b) => {
  const order = compareVersions(a, b);
  if (order === undefined) throw new Error('not a version');
  return BigInt(order);
});
const env = celEnv({ funcs: [semver] });

/** What another implementation of CEL makes of a rule: missing attributes are errors to it. A map, since it trips over an object's own `constructor`. */
function secondOpinion(source: string, device: Attributes): boolean | 'error' {
  const result = plan(env, parse(source))({ device: new Map(Object.entries(device)) as unknown as CelInput });
  return isCelError(result) ? 'error' : (result as boolean);
}

describe('the rule language against @bufbuild/cel', () => {
  it('agrees on every definite result that no error stands behind', () => {
    let definite = 0;
    fc.assert(
      fc.property(anyRule(), anyAttributes(), (source, device) => {
        const { result, leaf } = evaluate(checkRule(source, TEST_SCHEMA, 'selector'), { device });
        if (result === 'unknown' || leaf.reason === 'error') return;
        definite += 1;
        expect(secondOpinion(source, device)).toBe(result);
      }),
      { numRuns: 3_000 },
    );
    expect(definite).toBeGreaterThan(1_000);
  });

  it('has an error there wherever ours is unknown or an error', () => {
    fc.assert(
      fc.property(anyRule(), anyAttributes(), (source, device) => {
        const { result, leaf } = evaluate(checkRule(source, TEST_SCHEMA, 'selector'), { device });
        if (result !== 'unknown' && leaf.reason !== 'error') return;
        expect(secondOpinion(source, device)).toBe('error');
      }),
      { numRuns: 3_000 },
    );
  });
});
