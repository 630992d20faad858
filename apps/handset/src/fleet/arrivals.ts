/** A time that passes by chance, so long on average: exponential. */
export const byChance = (meanMs: number, random: () => number): number => -Math.log(1 - random()) * meanMs;

/**
 * When handsets come, in an open model: by chance at a given rate (exponential gaps), whatever became of those before. A
 * fleet that waited for answers would ask a slow server less, and measure a fast one.
 */
export class Arrivals {
  private nextAt: number;
  private perSecond = 0;

  constructor(
    private readonly random: () => number,
    now: number,
  ) {
    this.nextAt = now;
  }

  /**
   * A rate that has changed holds from now on, for the rest of the gap under way as well: by chance, what is left of a gap
   * is as long as a whole one, whatever has passed of it.
   * @returns the times up to now at which one has come, oldest first; at a rate of 0 nobody comes
   */
  due(now: number, perSecond: number): number[] {
    const before = this.perSecond;
    this.perSecond = perSecond;
    if (perSecond <= 0) {
      this.nextAt = now;
      return [];
    }
    const heldUntilNow = before > 0 ? before : perSecond;
    const times: number[] = [];
    while (this.nextAt <= now) {
      times.push(this.nextAt);
      this.nextAt += byChance(1_000 / heldUntilNow, this.random);
    }
    this.nextAt = now + ((this.nextAt - now) * heldUntilNow) / perSecond;
    return times;
  }

  /** How long until the next, ms. */
  waitMs(now: number): number {
    return Math.max(0, this.nextAt - now);
  }
}

/** Which rate holds when: each for so many seconds, the last to the end. */
export class Rates {
  private readonly steps: number[];

  /** @param steps a second; at least one */
  constructor(
    steps: readonly number[],
    private readonly secondsEach: number,
  ) {
    this.steps = [...steps];
  }

  at(elapsedMs: number): number {
    const step = Math.min(this.steps.length - 1, Math.floor(elapsedMs / (this.secondsEach * 1_000)));
    return this.steps[step] ?? 0;
  }

  /** From now on, whatever was planned. */
  set(perSecond: number): void {
    this.steps.splice(0, this.steps.length, perSecond);
  }

  get totalMs(): number {
    return this.steps.length * this.secondsEach * 1_000;
  }
}
