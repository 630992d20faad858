/** A session ends 15 minutes after its last request and 8 hours after its login, whichever is first. */
export const SESSION_IDLE_MS = 15 * 60_000;
export const SESSION_ABSOLUTE_MS = 8 * 3_600_000;

/** A request moves the idle limit at most this often, so that reading does not write every time. */
export const SESSION_TOUCH_MS = 30_000;

export const isSessionLive = (session: { openedAt: number; seenAt: number }, now: number): boolean =>
  now - session.seenAt < SESSION_IDLE_MS && now - session.openedAt < SESSION_ABSOLUTE_MS;

/** Logins tried and not succeeded, by account or by address. */
export interface Attempts {
  count: number;
  /** Milliseconds since 1970 of the newest one. */
  lastAt: number;
}

/** `free` attempts cost nothing; every further one doubles the wait, from 1 s up to `maxWaitMs`. */
export interface ThrottleRule {
  free: number;
  maxWaitMs: number;
}

/** An account's wait stays short, because a stranger can cause it; an address pays more. */
export const ACCOUNT_THROTTLE: ThrottleRule = { free: 5, maxWaitMs: 60_000 };
export const ADDRESS_THROTTLE: ThrottleRule = { free: 20, maxWaitMs: 15 * 60_000 };

/** Attempts older than this are forgotten. */
export const ATTEMPT_MEMORY_MS = 3_600_000;

/**
 * Milliseconds until the next attempt is looked at; 0 = now. A last attempt further ahead than the longest wait is of a
 * clock since put back, and does not count: it would lock an account for as long as the clock was wrong.
 */
export function waitBeforeLogin(attempts: Attempts, rule: ThrottleRule, now: number): number {
  const beyond = attempts.count - rule.free;
  const isPutBack = attempts.lastAt - now > rule.maxWaitMs;
  if (beyond < 0 || isPutBack || now - attempts.lastAt >= ATTEMPT_MEMORY_MS) return 0;
  const wait = Math.min(rule.maxWaitMs, 1000 * 2 ** Math.min(beyond, 20));
  return Math.max(0, attempts.lastAt + wait - now);
}

/** Counts an attempt before its password is compared, so that attempts side by side cannot slip through. */
export const countAttempt = (attempts: Attempts, now: number): Attempts => ({
  count: now - attempts.lastAt >= ATTEMPT_MEMORY_MS ? 1 : attempts.count + 1,
  lastAt: now,
});

/** Who shares an address for the throttle: one IPv4 address, or an IPv6 network of /64, all of which one host can use. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:([0-9.]+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !address.includes(':')) return mapped ?? address;
  const [head = '', tail] = address.toLowerCase().split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].slice(0, 4).join(':');
}
