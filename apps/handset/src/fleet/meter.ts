import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** Begun so much later than it came, an arrival is counted as late. */
export const LATE_MS = 100;

/** How a poll ended, as far as its availability request went. */
export type Outcome = 'answered' | 'sentAway' | 'failed';

/** What one second held; the last second's once a second, the whole run's at the end. */
export interface Line {
  /** Polls that began. */
  arrivals: number;
  inFlight: number;
  /** With work: 200 or 304. */
  answered: number;
  /** With 429 or 503: to come again later. */
  sentAway: number;
  failures: number;
  /** Began more than 100 ms after their time, because all handsets were busy or this process was. */
  late: number;
  /** From the time of its arrival to its answer, ms. */
  p50Ms: number;
  p99Ms: number;
}

interface Counts {
  arrivals: number;
  answered: number;
  sentAway: number;
  failed: number;
  late: number;
  times: RecordableHistogram;
}

const nothing = (): Counts => ({ arrivals: 0, answered: 0, sentAway: 0, failed: 0, late: 0, times: createHistogram() });

/** Counts polls by their availability requests. */
export class Meter {
  /** Why polls failed, by code. */
  readonly failures = new Map<string, number>();
  /** Came back before the hour that they were given. */
  tooEarly = 0;
  private inFlight = 0;
  private second = nothing();
  private readonly whole = nothing();

  begin(lateMs = 0): void {
    this.inFlight += 1;
    for (const counts of [this.second, this.whole]) {
      counts.arrivals += 1;
      if (lateMs > LATE_MS) counts.late += 1;
    }
  }

  end(outcome: Outcome, ms: number, code?: string): void {
    this.inFlight -= 1;
    if (code !== undefined) this.failures.set(code, (this.failures.get(code) ?? 0) + 1);
    for (const counts of [this.second, this.whole]) {
      counts[outcome] += 1;
      if (outcome === 'answered') counts.times.record(Math.max(1, Math.round(ms * 1_000)));
    }
  }

  /** What there was since the last call. */
  nextSecond(): Line {
    const { second } = this;
    this.second = nothing();
    return this.line(second);
  }

  total(): Line {
    return this.line(this.whole);
  }

  private line({ failed, times, ...counts }: Counts): Line {
    const percentile = (p: number) => (times.count === 0 ? 0 : Math.round(times.percentile(p) / 100) / 10);
    return { ...counts, failures: failed, inFlight: this.inFlight, p50Ms: percentile(50), p99Ms: percentile(99) };
  }
}
