import { type Random } from './ports.js';

export const BACKOFF_BASE_MS = 2_000;
export const BACKOFF_CAP_MS = 3_600_000;
const INTERVAL_SPREAD = 0.15;

/**
 * Full jitter: uniform between nothing and the doubled base. A fleet that failed together comes back spread over the
 * whole window, which a fixed delay with a little jitter does not do.
 * @param failures in a row, 1 or more
 * @param capMs no window is longer
 */
export function backoffMs(failures: number, random: Random, capMs: number = BACKOFF_CAP_MS): number {
  const windowMs = BACKOFF_BASE_MS * 2 ** Math.min(failures - 1, 30);
  return Math.floor(random() * Math.min(BACKOFF_CAP_MS, capMs, windowMs));
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
