import { describe, expect, it } from 'vitest';
import { Admission, TICK_MS } from './admission.js';

/** Asks so many times a second, evenly, with a tick where one is due. @returns how many were sent away */
function serve(admission: Admission, from: number, seconds: number, perSecond: number): number {
  let away = 0;
  for (let ms = 0; ms < seconds * 1_000; ms += 1) {
    if (ms % TICK_MS === 0) admission.tick(from + ms);
    if (ms % (1_000 / perSecond) === 0 && admission.ask(from + ms) !== undefined) away += 1;
  }
  return away;
}

describe('admission', () => {
  it('lets everybody in while the process keeps up, however many, and learns the usual rate', () => {
    const admission = new Admission(1);
    expect(serve(admission, 0, 30, 20)).toBe(0);
    expect(admission.usualPerSecond).toBeCloseTo(20, 0);
    expect(serve(admission, 30_000, 1, 1_000)).toBe(0);
  });

  it('gives those who waited through a stop appointments one behind the other', () => {
    const admission = new Admission(1);
    serve(admission, 0, 60, 10);
    const back = 120_000;
    const answers = Array.from({ length: 100 }, () => admission.ask(back));
    const seconds = answers.filter((answer) => answer !== undefined);
    expect([4, 5]).toContain(answers.length - seconds.length); // a quarter of a second at twice the usual rate
    expect(seconds).toEqual(seconds.toSorted((a, b) => a - b));
    expect(seconds.at(-1)).toBeCloseTo(seconds.length / 10, 0);
    expect(admission.limitPerSecond).toBeCloseTo(20, 0);
  });

  it('lets at most twice the usual rate in when it comes back', () => {
    const admission = new Admission(1);
    serve(admission, 0, 60, 10);
    const away = serve(admission, 120_000, 4, 100);
    expect(400 - away).toBeLessThan(4 * 10 * 2 * 1.3);
    expect(400 - away).toBeGreaterThan(4 * 10 * 2 * 0.9);
  });

  it('never lets in fewer than the least, also when nothing is known of the usual rate', () => {
    const admission = new Admission(50);
    admission.tick(0);
    expect(serve(admission, 10_000, 2, 40)).toBe(0);
    expect(admission.limitPerSecond).toBeGreaterThanOrEqual(50);
  });

  it('lets in half as many each time that it is held up again, and ends when it is quiet', () => {
    const admission = new Admission(1);
    serve(admission, 0, 60, 100);
    admission.tick(63_000);
    const first = admission.limitPerSecond!;
    admission.tick(66_000);
    expect(admission.limitPerSecond!).toBeLessThan(first * 0.6);
    serve(admission, 66_250, 9, 2);
    expect(admission.limitPerSecond).toBeDefined();
    serve(admission, 75_250, 3, 2);
    expect(admission.limitPerSecond).toBeUndefined();
  });
});
