import { type Random } from './ports.js';

export const BACKOFF_BASE_MS = 60_000;
const BACKOFF_GROWTH = 10;
export const BACKOFF_CAP_MS = 3_600_000;
const INTERVAL_SPREAD = 0.15;

/** Full jitter: uniform between nothing and the window. What failed together comes back spread over the whole of it. */
export const jitterMs = (windowMs: number, random: Random): number => Math.floor(random() * windowMs);

/**
 * Full jitter over a window of a minute, then ten, then an hour. A fleet that lost its server asks it
 * (1 + tries made so far by each) times as often as usual: by windows that begin at seconds and double that is seven times
 * after a minute's outage. By these it is about three times at most after any outage (simulated, see DECISIONS.md).
 * @param failures in a row, 1 or more
 * @param capMs no window is longer
 */
export function backoffMs(failures: number, random: Random, capMs: number = BACKOFF_CAP_MS): number {
  const windowMs = BACKOFF_BASE_MS * BACKOFF_GROWTH ** Math.min(failures - 1, 9);
  return jitterMs(Math.min(BACKOFF_CAP_MS, capMs, windowMs), random);
}

/**
 * How long to leave a server alone that did not answer. What it asked for counts in full, and the back-off comes on top: whoever
 * answers many at once says the same to all of them.
 */
export function restMs(
  { failures, intervalMs, retryAfterMs = 0 }: { failures: number; intervalMs: number; retryAfterMs?: number },
  random: Random,
): number {
  return retryAfterMs + backoffMs(failures, random, intervalMs);
}

/** The first of the times that there are. */
export function firstOf(times: readonly (number | undefined)[]): number | undefined {
  const there = times.filter((at) => at !== undefined);
  return there.length === 0 ? undefined : Math.min(...there);
}

/** The server's interval, spread by ±15 %, so that handsets that polled together drift apart. */
export const spreadMs = (intervalMs: number, random: Random): number =>
  Math.round(intervalMs * (1 + INTERVAL_SPREAD * (2 * random() - 1)));

/** Retry-After as milliseconds from `nowMs`: seconds or an HTTP date (RFC 9110 §10.2.3); at most a day. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), 86_400_000);
}
