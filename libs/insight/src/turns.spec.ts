import { describe, expect, it } from 'vitest';
import { Turns } from './turns.js';

describe('turns', () => {
  it('run so many at a time, in the order of asking, also after one that failed', async () => {
    const turns = new Turns(2);
    const order: number[] = [];
    let running = 0;
    let most = 0;
    const work = (n: number) => async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      order.push(n);
      running -= 1;
      if (n === 1) throw new Error('one');
    };
    const all = await Promise.allSettled([0, 1, 2, 3, 4].map((n) => turns.take(work(n))));
    expect(order).toEqual([0, 1, 2, 3, 4]);
    expect(most).toBe(2);
    expect(all.filter(({ status }) => status === 'rejected')).toHaveLength(1);
  });
});
