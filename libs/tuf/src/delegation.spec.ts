import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allDelegates, binOf, delegatesFor, isInScope, keysOfDelegate, matchesPattern } from './delegation.js';
import { type Delegations } from './metadata.js';

describe('path patterns', () => {
  it.each([
    ['content/*', 'content/a', true],
    ['content/*', 'content/', true],
    ['content/*', 'content/a/b', false],
    ['*', 'a', true],
    ['*', 'a/b', false],
    ['rules/?', 'rules/7', true],
    ['rules/?', 'rules/\u{1f600}', true],
    ['rules/?', 'rules/', false],
    ['*.tgz', 'foo.tgz', true],
    ['a*b*c', 'axxbyyc', true],
    ['a*b*c', 'axxbyy', false],
    ['a**', 'a', true],
    ['[ab]', 'a', false],
    ['', '', true],
    ['/a', 'a', false],
  ])('%j and %j: %j', (pattern, path, matches) => {
    expect(matchesPattern(pattern, path)).toBe(matches);
  });

  it('agrees with a regular expression of the same meaning', () => {
    const part = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', '/'), maxLength: 8 });
    const path = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 8 });
    fc.assert(
      fc.property(part, path, (pattern, text) => {
        const source = pattern.replaceAll('*', '[^/]*').replaceAll('?', '[^/]');
        expect(matchesPattern(pattern, text)).toBe(new RegExp(`^${source}$`).test(text));
      }),
    );
  });

  it('takes no more than the product of the lengths for a hostile pattern', () => {
    const started = process.cpuUsage();
    expect(matchesPattern('*a'.repeat(500), 'a'.repeat(1_000).replace(/$/, 'b'))).toBe(false);
    expect(process.cpuUsage(started).user).toBeLessThan(2_000_000);
  });
});

describe('path hash prefixes', () => {
  const digest = createHash('sha256').update('content/a').digest('hex');

  it.each([
    ['', true],
    [digest.slice(0, 1), true],
    [digest, true],
    [digest.slice(1, 9), false],
    [`${digest}0`, false],
  ])('%j: %j', (prefix, matches) => {
    expect(isInScope({ pathHashPrefixes: [prefix] }, 'content/a')).toBe(matches);
  });
});

describe('hash bins', () => {
  const bins = { keyIds: ['k'], threshold: 1, bitLength: 5, namePrefix: 'catalogue' };
  const delegations: Delegations = { keys: new Map(), roles: [], bins };

  it('puts every path into one bin, which the delegation knows', () => {
    const names = new Set(allDelegates(delegations));
    expect(names.size).toBe(32);
    fc.assert(
      fc.property(fc.string(), (path) => {
        const [bin, ...others] = delegatesFor(delegations, path);
        expect(others).toEqual([]);
        expect(names.has(bin!.name)).toBe(true);
        expect(keysOfDelegate(delegations, bin!.name)).toBe(bins);
      }),
    );
  });

  it('pads names to the digits of the last bin', () => {
    expect([...allDelegates(delegations)].slice(-1)).toEqual(['catalogue-1f']);
    expect(binOf({ bitLength: 32, namePrefix: 'b' }, 'content/a')).toMatch(/^b-[0-9a-f]{8}$/);
  });

  it.each(['catalogue-20', 'catalogue-1', 'catalogue-001', 'catalogue-1F', 'catalogue', 'other-01', 'catalogue-'])(
    'knows no bin %s',
    (name) => {
      expect(keysOfDelegate(delegations, name)).toBeUndefined();
    },
  );
});
