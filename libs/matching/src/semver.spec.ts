import { describe, expect, it } from 'vitest';
import { compareVersions } from './semver.js';

describe('versions', () => {
  /** Semantic Versioning 2.0.0 §11, its own examples in rising order, and numbers longer than any integer type. */
  const rising = [
    '0.0.0',
    '0.9.9',
    '1.0.0-0',
    '1.0.0-9',
    '1.0.0-10',
    '1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-alpha.beta',
    '1.0.0-beta',
    '1.0.0-beta.2',
    '1.0.0-beta.11',
    '1.0.0-rc.1',
    '1.0.0',
    '1.0.1',
    '1.9.0',
    '1.10.0',
    '2.0.0',
    '99999999999999999999.0.0',
    '100000000000000000000.0.0',
  ]; // prettier-ignore

  it('are ordered by precedence, each pair both ways', () => {
    for (const [i, a] of rising.entries())
      for (const [j, b] of rising.entries()) expect([a, b, compareVersions(a, b)]).toEqual([a, b, Math.sign(i - j)]);
  });

  it('do not count build metadata', () => expect(compareVersions('1.0.0+a.1', '1.0.0+b')).toBe(0));

  it.each([
    '',
    '1',
    '1.2',
    '1.2.3.4',
    'v1.2.3',
    '01.2.3',
    '1.2.3-',
    '1.2.3-01',
    '1.2.3-a..b',
    '1.2.3+',
    ' 1.2.3',
    '1.2.3\n',
  ])('are not %j', (text) => {
    expect(compareVersions(text, '1.0.0')).toBeUndefined();
    expect(compareVersions('1.0.0', text)).toBeUndefined();
  });
});
