import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { endWithUs } from '../support/left-behind.js';
import { PROFILING } from '../support/processes.js';
import { cpuSecondsOf } from './cpu.js';
import type { Cost } from './figures.js';

/** What a child says of itself and of the work that it did. */
interface Said {
  ready?: true;
  count?: number;
  /** Postgres' processes that work for it. */
  backends?: number[];
  peakBytes?: number;
  failed?: string;
}

/** What one run cost, and what there is to say beside. */
export interface Run extends Cost {
  wallSeconds: number;
  peakBytes: number;
}

/**
 * Does a job of a script in a process of its own, on the product's build: Vitest's transform would slow what is measured.
 * The script prepares, warms up, and waits; what it then does is counted, in CPU of it and of the Postgres processes that it names.
 */
export async function runJob(script: string, job: object): Promise<Run> {
  const child = fork(path.resolve('test/bench', script), [], { execArgv: [...PROFILING], stdio: 'inherit' });
  const ended = once(child, 'exit').then(() => ({ failed: 'ended early' }));
  if (child.pid !== undefined) void ended.then(endWithUs(child.pid));
  const { pid = -1 } = child;
  try {
    const ready = await said(child, ended, { job });
    const { backends: before = [] } = ready;
    const spentBefore = new Map([pid, ...before].map((each) => [each, cpuSecondsOf([each])]));
    const begun = performance.now();
    const { count = 0, backends = [], peakBytes = 0 } = await said(child, ended, { go: true });
    const wallSeconds = (performance.now() - begun) / 1000;
    const seconds = [pid, ...backends].reduce(
      (sum, each) => sum + cpuSecondsOf([each]) - (spentBefore.get(each) ?? 0), // one that came meanwhile began at 0
      0,
    );
    return { count, seconds, wallSeconds, peakBytes };
  } finally {
    if (child.connected) child.disconnect(); // it ends by itself, so that a profile is written
    await ended;
  }
}

async function said(child: ChildProcess, ended: Promise<Said>, ask: object): Promise<Said> {
  const answer = once(child, 'message').then(([message]) => message as Said);
  child.send(ask);
  const heard = await Promise.race([answer, ended]);
  if (heard.failed !== undefined) throw new Error(heard.failed);
  return heard;
}
