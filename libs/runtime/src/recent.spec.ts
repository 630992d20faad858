import { describe, expect, it } from 'vitest';
import { Recent } from './recent.js';

describe('what was asked for recently', () => {
  const filled = (count: number) => {
    const recent = new Recent<number, string>(10);
    for (let i = 0; i < count; i += 1) recent.set(i, `v${i}`);
    return recent;
  };
  /** The newest first, so that asking for them lets none of those go. */
  const held = (recent: Recent<number, string>, count: number) =>
    Array.from({ length: count }, (_, i) => count - 1 - i).filter((i) => recent.get(i) !== undefined);

  it('is held, at least half of the number that was given and at most all of it', () => {
    for (const count of [1, 5, 6, 9, 10, 11, 1_000]) {
      const last = Math.max(0, count - 5);
      expect(held(filled(count), count).filter((i) => i >= last)).toHaveLength(count - last);
      expect(held(filled(count), count).length).toBeLessThanOrEqual(10);
    }
  });

  it('outlives what was not', () => {
    const recent = filled(1);
    for (let i = 1; i < 100; i += 1) {
      recent.set(i, `v${i}`);
      expect(recent.get(0)).toBe('v0');
    }
    expect(recent.get(1)).toBeUndefined();
  });

  it('is gone when it is deleted, in both generations', () => {
    const recent = filled(8);
    for (const each of [1, 7]) {
      recent.delete(each);
      expect(recent.get(each)).toBeUndefined();
    }
    recent.clear();
    expect(held(recent, 8)).toEqual([]);
  });
});
