import { expect, it } from 'vitest';
import { deviceSearch, filterIn, sumOf } from './device-state.js';

it('keeps of an address what the page of a device knows', () => {
  expect(deviceSearch({ tab: 'why', campaign: 'c', other: 1 })).toEqual({ tab: 'why', campaign: 'c' });
  expect(deviceSearch({ tab: 'nonsense' })).toEqual({});
});

it('filters by what the server knows', () => {
  expect(filterIn({ q: 'gate', status: 'revoked', kind: 'hawkbit', channel: 'beta', x: 1 })).toEqual({
    ...{ q: 'gate', status: 'revoked', kind: 'hawkbit', channel: 'beta' },
  });
  expect(filterIn({ q: '', status: 'gone', kind: 7 })).toEqual({});
});

it('counts devices of several sorts', () => {
  const sort = { channel: 'main', status: 'active', kind: 'handset' } as const;
  expect(
    sumOf([
      { ...sort, devices: 2 },
      { ...sort, kind: 'hawkbit', devices: 3 },
    ]),
  ).toBe(5);
  expect(sumOf([])).toBe(0);
});
