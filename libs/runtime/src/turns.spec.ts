import { describe, expect, it } from 'vitest';
import { DomainError } from './errors.js';
import { Turns } from './turns.js';

const busy = () => new DomainError('turn.busy', { retryAfterSeconds: 5 }, 'too many');

describe('turns', () => {
  it('run so many at a time, in the order of asking, also after one that failed', async () => {
    const turns = new Turns(2, 3, busy);
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

  it('refuse who would make the line longer than its bound', async () => {
    const turns = new Turns(1, 2, busy);
    const { held, finish } = heldWork();
    const taken = [0, 1, 2].map(() => turns.take(() => held));
    await expect(turns.take(() => held)).rejects.toMatchObject({
      code: 'turn.busy',
      details: { retryAfterSeconds: 5 },
    });
    finish('done');
    expect(await Promise.all(taken)).toEqual(['done', 'done', 'done']);
    expect(await turns.take(async () => 'free again')).toBe('free again');
  });

  it('pass by who has left the line, and give the place to another', async () => {
    const turns = new Turns(1, 1, busy);
    const { held, finish } = heldWork();
    const first = turns.take(() => held);
    const request = new AbortController();
    let hasWorked = false;
    const left = turns.take(async () => (hasWorked = true), request.signal);
    request.abort();
    await expect(left).rejects.toMatchObject({ code: 'turn.busy' });
    const later = turns.take(async () => 'later');
    finish('first');
    expect([await first, await later]).toEqual(['first', 'later']);
    expect(hasWorked).toBe(false);
    await expect(turns.take(async () => 1, AbortSignal.abort())).resolves.toBe(1); // nobody is before it
  });
});

function heldWork() {
  let finish: (answer: string) => void = () => undefined;
  const held = new Promise<string>((resolve) => (finish = resolve));
  return { held, finish: (answer: string) => finish(answer) };
}
