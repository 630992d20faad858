/** Lets so many run at a time; the others wait in line. */
export class Turns {
  private running = 0;
  private readonly line: (() => void)[] = [];

  constructor(private readonly atATime: number) {}

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.running >= this.atATime) await new Promise<void>((resolve) => this.line.push(resolve));
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
}
