import { describe, expect, it } from 'vitest';
import { nextWave, waveRows } from './waves.js';

const gate = { minimum: 10, success: 0.9, timeoutMinutes: 60 };
const PLAN = [
  { upTo: 100, gate },
  { upTo: 2_500, gate: null },
  { upTo: 10_000, gate: null },
];

describe('waves', () => {
  it('stand where the campaign is opened to', () => {
    expect(waveRows(PLAN, 2_500).map(({ state }) => state)).toEqual(['open', 'current', 'closed']);
    expect(waveRows(PLAN, 100).map(({ state }) => state)).toEqual(['current', 'closed', 'closed']);
  });

  it('opened by hand between two steps of the plan, are at the earlier one', () => {
    expect(waveRows(PLAN, 3_000).map(({ state }) => state)).toEqual(['open', 'current', 'closed']);
  });

  it('without a plan are one', () => {
    expect(waveRows([], 10_000)).toEqual([{ n: 1, upTo: 10_000, share: 1, state: 'current', gate: undefined }]);
  });

  it('go on to the next of the plan, or to everybody, or no further', () => {
    expect(nextWave(PLAN, 100)).toBe(2_500);
    expect(nextWave([], 500)).toBe(10_000);
    expect(nextWave(PLAN, 10_000)).toBeUndefined();
  });
});
