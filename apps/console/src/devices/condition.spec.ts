import { expect, it } from 'vitest';
import { changesOf, conditionOf, truthOf } from './condition.js';

it('reads an explained rule, part by part', () => {
  const part = {
    condition: 'device.os >= 12',
    result: false,
    values: [{ attribute: 'os', value: 11, source: 'device', at: null }],
  };
  const read = conditionOf({ condition: 'a && b', result: 'unknown', because: 'not-told', parts: [part, 7] });
  expect(read).toMatchObject({ condition: 'a && b', result: 'unknown', because: 'not-told', values: [] });
  expect(read?.parts).toMatchObject([{ result: false, values: [{ attribute: 'os', value: 11, source: 'device' }] }]);
});

it('takes for unknown what is neither true nor false', () => {
  expect(conditionOf({ condition: 'x', result: 'yes' })?.result).toBe('unknown');
  expect([true, false, 'unknown', undefined].map(truthOf)).toEqual([true, false, 'unknown', 'unknown']);
});

it('reads nothing where there is no rule', () => {
  expect(conditionOf(null)).toBeUndefined();
  expect(changesOf(null)).toEqual([]);
  expect(changesOf([{ condition: 'x', to: true }, 1])).toEqual([{ condition: 'x', to: true }]);
});
