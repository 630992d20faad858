import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

const TICKS_A_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** User and system time of these processes so far, all their threads, seconds; in steps of a tick (10 ms). @see proc(5) */
export const cpuSecondsOf = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => sum + ticksOf(pid), 0) / TICKS_A_SECOND;

function ticksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the name before may hold anything
  return Number(fields[11]) + Number(fields[12]);
}

/** What is measured runs here, and what drives it on the other core, so that neither waits for the other. */
export const MEASURED_CORE = 0;
export const DRIVING_CORE = 1;

/** Keeps a process, all its threads, and what they start from now on, to one core. */
export function pin(pid: number, core: number): void {
  if (cpus().length > 1) execFileSync('taskset', ['-a', '-c', '-p', String(core), String(pid)], { stdio: 'ignore' });
}

/** Does the work, and answers what these processes spent meanwhile. */
export async function cpuOf(
  pids: readonly number[],
  work: () => Promise<number>,
): Promise<{ count: number; seconds: number }> {
  const before = cpuSecondsOf(pids);
  const count = await work();
  return { count, seconds: cpuSecondsOf(pids) - before };
}
