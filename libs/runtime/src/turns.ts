/** Lets so many run at a time; so many others wait in line, and no more. */
export class Turns {
  private running = 0;
  private readonly line: (() => void)[] = [];

  constructor(
    private readonly atATime: number,
    private readonly inLine: number,
    /** What is thrown when the line is full, or was left. */
    private readonly busy: () => Error,
  ) {}

  /**
   * @param ended  of who asks: whose request has ended leaves the line
   * @throws what `busy` makes
   */
  async take<T>(work: () => Promise<T>, ended?: AbortSignal): Promise<T> {
    if (this.running >= this.atATime) await this.wait(ended);
    else this.running += 1;
    try {
      return await work();
    } finally {
      // Who waits takes over this turn, so the count stays.
      const next = this.line.shift();
      if (next === undefined) this.running -= 1;
      else next();
    }
  }

  private wait(ended?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.line.length >= this.inLine || ended?.aborted === true) return reject(this.busy());
      const turn = () => {
        ended?.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        const place = this.line.indexOf(turn);
        if (place >= 0) this.line.splice(place, 1);
        reject(this.busy());
      };
      ended?.addEventListener('abort', leave, { once: true });
      this.line.push(turn);
    });
  }
}
