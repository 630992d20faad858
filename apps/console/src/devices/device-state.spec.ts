import { expect, it } from 'vitest';
import type { Device } from '../api/wire.js';
import { deviceSearch, matches } from './device-state.js';

const device = { id: 'abc-1', label: 'Gate 4', channel: 'beta', status: 'active', deviceNo: 7 } as Device;

it('keeps of an address what the page of a device knows', () => {
  expect(deviceSearch({ tab: 'why', campaign: 'c', other: 1 })).toEqual({ tab: 'why', campaign: 'c' });
  expect(deviceSearch({ tab: 'nonsense' })).toEqual({});
});

it('finds a device by its label, id, channel or number', () => {
  for (const q of ['gate', 'ABC', 'beta gate', '#7', '']) expect(matches(device, q, undefined)).toBe(true);
  expect(matches(device, 'gate 5', undefined)).toBe(false);
  expect(matches(device, 'gate', 'revoked')).toBe(false);
});
