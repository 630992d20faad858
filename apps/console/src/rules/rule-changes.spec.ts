import { describe, expect, it } from 'vitest';
import { ruleChanges } from './rule-changes.js';

describe('the difference of two rules', () => {
  it('is what one asks and the other does not', () => {
    const before = 'device.model == "m1" && device.free > 10';
    expect(ruleChanges(before, 'device.free > 10 && device.model == "m2"')).toEqual([
      { kind: 'removed', condition: 'device.model == "m1"' },
      { kind: 'added', condition: 'device.model == "m2"' },
    ]);
  });

  it('is none where the same is said in another order', () =>
    expect(ruleChanges('device.a == 1 && device.b == 2', 'device.b == 2 && device.a == 1')).toEqual([]));

  it('begins with everybody', () => {
    const condition = 'device.a == 1';
    expect(ruleChanges('true', condition)).toEqual([{ kind: 'added', condition }]);
    expect(ruleChanges(condition, '')).toEqual([{ kind: 'removed', condition }]);
  });

  it('is the whole rule where it is more than a list of conditions', () => {
    const either = 'device.a == 1 || device.b == 2';
    expect(ruleChanges(either, 'device.a == 1')).toEqual([
      { kind: 'removed', condition: either },
      { kind: 'added', condition: 'device.a == 1' },
    ]);
  });
});
