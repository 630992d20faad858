import { AsyncLocalStorage } from 'node:async_hooks';

/** By this the description of the API, which does not show it, knows a route that cannot be tried. */
export const NEVER_DRY = 'x-never-dry';

/** What takes part in a trial, such as the transactions of a database. */
export interface TrialPart {
  /** Takes back what was done. Never rejects. */
  end(): Promise<void>;
}

/** One dry run: everything is decided and answered as ever, and nothing of it stays. */
export class Trial {
  private readonly parts = new Map<object, TrialPart>();
  private over = false;

  /** What was begun in a trial and outlives it must not take its end for none. */
  get isOver(): boolean {
    return this.over;
  }

  part<P extends TrialPart>(owner: object, make: () => P): P {
    const part = (this.parts.get(owner) as P | undefined) ?? make();
    this.parts.set(owner, part);
    return part;
  }

  async end(): Promise<void> {
    this.over = true;
    for (const part of this.parts.values()) await part.end();
  }
}

const running = new AsyncLocalStorage<Trial>();

/** The trial that this is part of; undefined in earnest. */
export const currentTrial = (): Trial | undefined => running.getStore();

/** Runs `work` so that nothing of it stays, however it ends. */
export async function asTrial<T>(work: () => Promise<T>): Promise<T> {
  const trial = new Trial();
  try {
    return await running.run(trial, work);
  } finally {
    await trial.end();
  }
}

/** In earnest, whoever is the first to ask for it: for what is made once for all. */
export const inEarnest = <T>(work: () => T): T => running.exit(work);
