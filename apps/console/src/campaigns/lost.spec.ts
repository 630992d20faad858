import { describe, expect, it } from 'vitest';
import { lostOf, openAt } from './lost.js';

describe('who a line of the funnel is about', () => {
  it('is who went out for a reason', () =>
    expect(lostOf('declined:no-space')).toEqual({ kind: 'declined', reason: 'no-space' }));

  it('is who came to the step before and no further', () =>
    expect(lostOf(openAt('installed')!)).toEqual({ reached: 'transferred', missed: 'installed' }));

  it('is nobody whom rows could name at the first steps', () => {
    expect([openAt('polled'), openAt('matched')]).toEqual([undefined, undefined]);
    expect([lostOf('open:matched'), lostOf('open:x'), lostOf('x:y'), lostOf('')]).toEqual(Array(4).fill(undefined));
  });
});
