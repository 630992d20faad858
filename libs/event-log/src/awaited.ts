import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '#runtime/index.js';
import { EventLogError } from './event-log.js';

const RETRY_MS = { first: 200, longest: 2_000 };
/** How long a start waits when nobody has said. */
const PATIENCE_MS = 60_000;

/**
 * Waits at the start for what this process needs and does not start itself: services come up in any order. Whatever else
 * goes wrong than its absence passes at once, and so does its absence once the patience is over.
 * @param what  in the log lines: `<what>.awaited`, `<what>.found`
 */
export async function awaited<T>(
  what: 'postgres' | 'kafka',
  work: () => Promise<T>,
  { log, patienceMs = PATIENCE_MS }: { log: Log; patienceMs?: number },
): Promise<T> {
  const began = performance.now();
  for (let retryInMs = RETRY_MS.first; ; retryInMs = Math.min(retryInMs * 2, RETRY_MS.longest)) {
    const waitedMs = Math.round(performance.now() - began);
    try {
      const done = await work();
      if (retryInMs > RETRY_MS.first) log.info(`${what}.found`, { waitedMs });
      return done;
    } catch (err) {
      if (!isAway(err) || waitedMs >= patienceMs) throw err;
      log.warn(`${what}.awaited`, { waitedMs, patienceMs, retryInMs, err });
    }
    await sleep(retryInMs);
  }
}

/** Of sockets and names (Node), and a server that starts, stops or hands connections on (Postgres, classes 08 and 57P). */
const AWAY = /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|08...|57P0[1-3])$/;

function isAway(error: unknown): boolean {
  if (error instanceof EventLogError) return error.code === 'log.unavailable';
  const { code = '', message = '' } = error as { code?: string; message?: string };
  return AWAY.test(code) || message === 'Connection terminated unexpectedly'; // node-postgres gives this one no code
}
