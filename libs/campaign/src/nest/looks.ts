/** How often each of many is looked at, at most: what a look costs does not grow with how often the timer comes by. */
export class Looks {
  private readonly lookedAt = new Map<string, number>();

  constructor(private readonly everyMs: number) {}

  /** True once in the time, and then it counts as looked at. */
  isDue(key: string): boolean {
    const now = performance.now();
    if (now - (this.lookedAt.get(key) ?? Number.NEGATIVE_INFINITY) < this.everyMs) return false;
    this.lookedAt.set(key, now);
    return true;
  }
}

/** For what counts all devices of a campaign: a million take a while, and nothing that is decided by it is in a hurry. Milliseconds. */
export const COUNT_MS = 2_000;
