import { readFileSync } from 'node:fs';
import { type Clock, systemClock } from './clock.js';

/**
 * The clock of a process. With `MUSTER_TEST_CLOCK=<file>` the time is the system's plus the number of milliseconds that
 * the file holds, read at every call, so that a test moves all processes at once without waiting. A missing file is 0; an empty
 * setting is none.
 */
export function processClock(env: NodeJS.ProcessEnv = process.env): Clock {
  const file = env.MUSTER_TEST_CLOCK;
  return file === undefined || file === '' ? systemClock : { now: () => Date.now() + offsetIn(file) };
}

function offsetIn(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8').trim()) || 0;
  } catch {
    return 0;
  }
}
