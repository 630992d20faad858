/** What a campaign may take of the network at most; null = as much as there is. */
export interface Caps {
  /** Transfers at one time. */
  transfers: number | null;
  bytesPerSecond: number | null;
  /** Of a day in UTC. */
  bytesPerDay: number | null;
}

export const NO_CAPS: Caps = { transfers: null, bytesPerSecond: null, bytesPerDay: null };

/** What is counted of a campaign, or of everything together. */
export interface Usage {
  /** Leases that have neither ended nor expired. */
  transfers: number;
  /** Bytes that may be granted now: grows by `bytesPerSecond`, to `BURST_SECONDS` of it at most; less than 0 when a large content was granted. */
  credit: number;
  /** When the credit was counted, ms. */
  at: number;
  /** Granted on the day that `at` is in. */
  dayBytes: number;
}

export const BURST_SECONDS = 60;
/** A lease of a device that is never heard of again ends after this, ms; each grant for it renews it. */
export const LEASE_MS = 15 * 60_000;
export const isCapped = ({ transfers, bytesPerSecond, bytesPerDay }: Caps): boolean =>
  transfers !== null || bytesPerSecond !== null || bytesPerDay !== null;

const DAY = 86_400_000;
/** Leases end when devices say so, which nobody can foretell: how long to wait before asking again, s. */
const AGAIN_SECONDS = 60;

export const unused = (caps: Caps, now: number): Usage => ({
  transfers: 0,
  credit: (caps.bytesPerSecond ?? 0) * BURST_SECONDS,
  at: now,
  dayBytes: 0,
});

/** The same at a later moment; a clock that was set back gives nothing. */
export function usageAt(usage: Usage, caps: Caps, now: number): Usage {
  const rate = caps.bytesPerSecond ?? 0;
  const elapsed = Math.max(0, now - usage.at) / 1000;
  const isSameDay = Math.floor(usage.at / DAY) >= Math.floor(now / DAY);
  return {
    transfers: usage.transfers,
    credit: Math.min(rate * BURST_SECONDS, usage.credit + rate * elapsed),
    at: Math.max(usage.at, now),
    dayBytes: isSameDay ? usage.dayBytes : 0,
  };
}

/**
 * Takes one transfer of so many bytes, or says when to come again. A content that is larger than the credit is let through
 * when there is any, and paid for by those behind it: otherwise it would never go.
 * @param usage at `usage.at`, as `usageAt` answers it
 */
export function take(usage: Usage, caps: Caps, bytes: number): Usage | { retryAfterSeconds: number } {
  const { transfers, bytesPerSecond, bytesPerDay } = caps;
  if (transfers !== null && usage.transfers >= transfers) return { retryAfterSeconds: AGAIN_SECONDS };
  if (bytesPerDay !== null && usage.dayBytes > 0 && usage.dayBytes + bytes > bytesPerDay)
    return { retryAfterSeconds: Math.ceil((DAY - (usage.at % DAY)) / 1000) };
  if (bytesPerSecond !== null && usage.credit <= 0)
    return { retryAfterSeconds: Math.max(1, Math.ceil(-usage.credit / bytesPerSecond)) };
  return {
    ...usage,
    transfers: usage.transfers + 1,
    credit: bytesPerSecond === null ? usage.credit : usage.credit - bytes,
    dayBytes: usage.dayBytes + bytes,
  };
}
