/** How often the owner calls `tick`, ms. */
export const TICK_MS = 250;
/** A tick or a request so much later than that was held up: the process was stopped, or has more to do than it can. */
const LATE_MS = 1_000;
/** How far back the usual rate looks. */
const MEMORY_MS = 60_000;
/** In a surge so many times the usual rate is let in: appointments are given for half of it, the rest is for who comes by itself. */
const USUAL_TIMES = 2;
/** What may come at once, in seconds of the rate that is let in. */
const BURST_SECONDS = 0.25;
const GROWTH_A_TICK = 1.05 ** (TICK_MS / 1_000);
/** Held up again after so long, half as many are let in. */
const HALVE_AFTER_MS = 2_000;
/** A surge is over when for so long nobody was sent away and nobody is expected. */
const QUIET_MS = 10_000;
const LONGEST_SECONDS = 3_600;

interface Surge {
  /** Let in a second. */
  limit: number;
  tokens: number;
  refilledAt: number;
  halvedAt: number;
  /** The last moment with trouble: held up, or somebody sent away. */
  troubleAt: number;
  /** The last appointment that was given. */
  appointedUntil: number;
}

/**
 * Who is let in when a process comes back from a stop, or cannot keep up. In ordinary times everybody is, and the usual
 * rate is learned. When a tick or a request finds itself held up, a surge begins: a multiple of the usual rate is let
 * in, all others get an appointment each, one behind the other, so that they come back no faster than usual. Whenever the
 * process is held up again half as many are let in; otherwise 5 % more each second. No clock of its own, no I/O.
 */
export class Admission {
  private tickedAt: number | undefined;
  private admitted = 0;
  private usual = 0;
  private weight = 0;
  private surge: Surge | undefined;

  /** @param leastPerSecond let in whatever the usual rate was */
  constructor(private readonly leastPerSecond: number) {}

  /** Requests a second in ordinary times, over the last minute. */
  get usualPerSecond(): number {
    return this.weight === 0 ? 0 : this.usual / this.weight;
  }

  /** What is let in a second, while a surge lasts. */
  get limitPerSecond(): number | undefined {
    return this.surge?.limit;
  }

  tick(now: number): void {
    this.look(now);
    const { surge } = this;
    if (surge === undefined) this.learn();
    else if (now - Math.max(surge.troubleAt, surge.appointedUntil) > QUIET_MS) this.surge = undefined;
    else surge.limit *= GROWTH_A_TICK;
    this.admitted = 0;
    this.tickedAt = now;
  }

  /** @returns undefined when it is let in, otherwise the seconds after which it may come again */
  ask(now: number): number | undefined {
    this.look(now);
    const { surge } = this;
    if (surge === undefined) {
      this.admitted += 1;
      return undefined;
    }
    const refilled = surge.tokens + ((now - surge.refilledAt) / 1_000) * surge.limit;
    surge.tokens = Math.min(refilled, Math.max(1, surge.limit * BURST_SECONDS));
    surge.refilledAt = now;
    if (surge.tokens < 1) return appoint(surge, now);
    surge.tokens -= 1;
    return undefined;
  }

  /** A late tick counts as one: what was not asked during a stop says nothing of the usual rate. */
  private learn(): void {
    const share = 1 - Math.exp(-TICK_MS / MEMORY_MS);
    this.usual += (this.admitted / (TICK_MS / 1_000) - this.usual) * share;
    this.weight += (1 - this.weight) * share;
  }

  private look(now: number): void {
    if (this.tickedAt === undefined || now - this.tickedAt - TICK_MS < LATE_MS) return;
    if (this.surge === undefined) this.surge = this.beginning(now);
    else if (now - this.surge.halvedAt > HALVE_AFTER_MS) {
      this.surge.limit = Math.max(this.leastPerSecond, this.surge.limit / 2);
      this.surge.halvedAt = now;
    }
    this.surge.troubleAt = now;
  }

  private beginning(now: number): Surge {
    const limit = Math.max(this.leastPerSecond, USUAL_TIMES * this.usualPerSecond);
    return { limit, tokens: limit, refilledAt: now, halvedAt: now, troubleAt: now, appointedUntil: now };
  }
}

function appoint(surge: Surge, now: number): number {
  surge.troubleAt = now;
  const next = Math.max(surge.appointedUntil, now) + (USUAL_TIMES * 1_000) / surge.limit;
  surge.appointedUntil = Math.min(next, now + LONGEST_SECONDS * 1_000);
  return Math.max(1, Math.ceil((surge.appointedUntil - now) / 1_000));
}
