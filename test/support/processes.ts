import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { endWithUs, removeWithUs } from './left-behind.js';

/** A port that was free a moment ago. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });

export interface Running {
  pid: number;
  /** Everything printed so far, on both streams. */
  output(): string;
  /** What was printed on standard output alone. */
  stdout(): string;
  /** Resolves with the match once the output has it. */
  waitFor(pattern: RegExp, milliseconds?: number): Promise<RegExpExecArray>;
  /** Writes to its standard input, if that is a pipe. */
  write(text: string): void;
  exited: Promise<number | null>;
  isRunning(): boolean;
  /** Sends the signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Memory that a process has resident, bytes. @throws Error where the kernel does not say: it would look like none */
export function residentBytesOf(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  if (kilobytes === undefined) throw new Error(`no VmRSS of process ${pid}`);
  return Number(kilobytes) * 1_024;
}

/** `MUSTER_BENCH_PROFILE=<folder>`: where each Node process of a bench leaves a profile of its CPU, when it ends by itself. */
const { MUSTER_BENCH_PROFILE } = process.env;
export const PROFILING: readonly string[] =
  MUSTER_BENCH_PROFILE === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${MUSTER_BENCH_PROFILE}`];

/** Starts a Node program of the build and follows its output. */
export function startNode(script: string, args: readonly string[] = [], options: SpawnOptions = {}): Running {
  return start(process.execPath, [...PROFILING, script, ...args], options);
}

export function start(command: string, args: readonly string[], options: SpawnOptions = {}): Running {
  const child: ChildProcess = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  let text = '';
  let out = '';
  let ended = false;
  if (child.pid !== undefined) child.once('exit', endWithUs(child.pid));
  const listeners = new Set<() => void>();
  const hear = (chunk: Buffer) => {
    text += chunk.toString('utf8');
    for (const listener of listeners) listener();
  };
  child.stdout?.on('data', (chunk: Buffer) => {
    out += chunk.toString('utf8');
    hear(chunk);
  });
  child.stderr?.on('data', hear);
  const exited = new Promise<number | null>((resolve) => {
    child.once('error', (error) => hear(Buffer.from(String(error))));
    child.once('close', (code) => {
      ended = true;
      for (const listener of listeners) listener();
      resolve(code);
    });
  });
  const waitFor = (pattern: RegExp, milliseconds = 60_000): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const finish = (outcome: () => void) => {
        clearTimeout(timer);
        listeners.delete(look);
        outcome();
      };
      const look = () => {
        const match = pattern.exec(text);
        if (match !== null) finish(() => resolve(match));
        else if (ended) finish(() => reject(new Error(`ended before ${pattern}:\n${text.slice(-4000)}`)));
      };
      const timer = setTimeout(
        () => finish(() => reject(new Error(`no ${pattern} in ${milliseconds} ms:\n${text.slice(-4000)}`))),
        milliseconds,
      );
      listeners.add(look);
      look();
    });
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    if (!ended && child.pid !== undefined) child.kill(signal);
    await exited;
  };
  return {
    pid: child.pid ?? -1,
    output: () => text,
    stdout: () => out,
    waitFor,
    write: (input) => void child.stdin?.write(input),
    exited,
    isRunning: () => !ended,
    stop,
  };
}

export interface Ended {
  code: number | null;
  output: string;
  stdout: string;
}

/** Runs a program to its end. */
export async function run(command: string, args: readonly string[], options: SpawnOptions = {}): Promise<Ended> {
  const child = start(command, args, options);
  return { code: await child.exited, output: child.output(), stdout: child.stdout() };
}

/** A temporary folder that `remove` deletes with all in it. */
export function temporaryFolder(name: string): { path: string; remove(): void } {
  const folder = mkdtempSync(path.join(tmpdir(), `muster-${name}-`));
  removeWithUs(folder);
  return { path: folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Polls until `probe` answers something other than undefined. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined>,
  milliseconds = 30_000,
): Promise<T> {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    const answer = await probe();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`never came true in ${milliseconds} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
