import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { pause } from '#runtime/index.js';

const TRY_MS = 1_000;
const WATCH_MS = 2_000;
const ANSWER_MS = 5_000;

export interface HeldLock {
  /** Aborted when the connection, and with it the lock, is lost. */
  lost: AbortSignal;
  release(): Promise<void>;
}

/**
 * Waits for the advisory lock of a duty that one process may do at a time; a connection of its own holds it, and is
 * asked regularly whether it still lives. Another may hold it before we notice that ours is gone, so the duty must bear
 * a short overlap.
 * @returns undefined when aborted
 */
export async function takeLock(url: string, duty: string, signal: AbortSignal): Promise<HeldLock | undefined> {
  const client = new pg.Client({
    connectionString: url,
    application_name: duty,
    keepAlive: true,
    query_timeout: ANSWER_MS,
    connectionTimeoutMillis: ANSWER_MS,
  });
  const lost = new AbortController();
  client.on('error', () => lost.abort());
  client.on('end', () => lost.abort());
  await client.connect();
  const release = () => client.end().catch(() => undefined); // gone already: then so is the lock
  try {
    while (!signal.aborted) {
      const { rows } = await client.query<{ held: boolean }>('select pg_try_advisory_lock(hashtext($1)) as held', [
        duty,
      ]);
      if (rows[0]?.held === true) {
        void watch(client, lost);
        return { lost: lost.signal, release };
      }
      await pause(TRY_MS, signal);
    }
    await release();
    return undefined;
  } catch (error) {
    await release();
    throw error;
  }
}

async function watch(client: pg.Client, lost: AbortController): Promise<void> {
  while (!lost.signal.aborted) {
    await sleep(WATCH_MS, undefined, { signal: lost.signal, ref: false }).catch(() => undefined); // lost: the loop ends
    if (!lost.signal.aborted) await client.query('select 1').catch(() => lost.abort());
  }
}
