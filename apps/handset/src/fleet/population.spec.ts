import { describe, expect, it } from 'vitest';
import { kindOf, readPopulation } from './population.js';

const NONE = { cuts: 0, vanishes: 0, failsInstall: 0 };

describe('a population', () => {
  it('is dealt out by the counts of its kinds, round after round', () => {
    const kinds = readPopulation(
      '{"count": 2, "attributes": {"model": "A"}}\n\n{"attributes": {"model": "B"}, "refuses": true}\n',
    );
    const models = Array.from({ length: 6 }, (_, n) => kindOf(kinds, n, NONE).attributes.model);
    expect(models).toEqual(['A', 'A', 'B', 'A', 'A', 'B']);
    expect(kindOf(kinds, 2, NONE)).toMatchObject({ refuses: true, cuts: false });
  });

  it('meets a share at every size, with other handsets for each misfortune', () => {
    const kinds = readPopulation('');
    const shares = { cuts: 0.1, vanishes: 0.1, failsInstall: 0.1 };
    for (const size of [50, 200, 1_000]) {
      const fleet = Array.from({ length: size }, (_, n) => kindOf(kinds, n, shares));
      for (const flag of ['cuts', 'vanishes', 'failsInstall'] as const)
        expect(Math.abs(fleet.filter((kind) => kind[flag]).length - size / 10)).toBeLessThanOrEqual(2);
      expect(fleet.filter(({ cuts, vanishes }) => cuts && vanishes)).toEqual([]);
    }
  });

  it.each(['nonsense', '[]', '{"count": 0}', '{"attributes": 7}', '{"cuts": "yes"}', '{"unknown": true}'])(
    'refuses the line %s with attributes.malformed',
    (line) => {
      expect(() => readPopulation(`{"count": 1}\n${line}`)).toThrowError(
        expect.objectContaining({ code: 'attributes.malformed', details: { line: 2 } }) as Error,
      );
    },
  );
});
