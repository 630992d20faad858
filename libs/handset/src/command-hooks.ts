import { spawn } from 'node:child_process';
import { HandsetError } from './errors.js';
import { type Candidate, type Hooks } from './ports.js';
import { parseJson } from './store.js';

/** Programs to run as hooks. Each gets JSON on standard input or as a file, and answers by its exit code. */
export interface HookCommands {
  /** Prints the attributes as JSON. */
  collect?: string;
  /** Gets the candidates on standard input, prints the list of content ids to take. */
  choose?: string;
  /** Gets one candidate on standard input; exit 0 is consent. */
  mayStart?: string;
  /** `<command> <file>`, the description on standard input. */
  verify?: string;
  /** `<command> <file> <description.json>`: the description is on standard input too. */
  install?: string;
  /** `<command> <application> <file>`, the description on standard input. */
  process?: string;
}

export interface HookRun {
  timeoutMs: number;
  /** Where a hook's description file goes; the path of a file that does not exist yet. */
  writeDescription(description: unknown): string;
}

/** A program's output beyond this is a refusal: 256 attributes are far smaller. */
const OUTPUT_BYTES = 1_048_576;

/** Hooks as child processes with a time-out, in the manner of update modules. A hook that is not named stays absent. */
export function commandHooks(commands: HookCommands, run: HookRun): Hooks {
  const call = (command: string, args: readonly string[], input: unknown) =>
    runHook(command, args, { input: JSON.stringify(input), timeoutMs: run.timeoutMs });
  const { collect, choose, mayStart, verify, install, process: processing } = commands;
  const hooks: Hooks = {};
  if (collect !== undefined) hooks.collect = async () => jsonFrom(await call(collect, [], null), 'collect');
  if (choose !== undefined) hooks.choose = async (candidates) => idsFrom(await call(choose, [], candidates));
  if (mayStart !== undefined) hooks.mayStart = (candidate: Candidate) => isWilling(call(mayStart, [], candidate));
  if (verify !== undefined) hooks.verify = (file, description) => isWilling(call(verify, [file], description));
  if (install !== undefined)
    hooks.install = async (file, description) => {
      await call(install, [file, run.writeDescription(description)], description);
    };
  if (processing !== undefined)
    hooks.process = async (application, file, description) => {
      await call(processing, [application, file], description);
    };
  return hooks;
}

/** An exit code other than 0 says no; a time-out or a missing program is an error, which the agent treats as no and logs. */
async function isWilling(run: Promise<unknown>): Promise<boolean> {
  try {
    await run;
    return true;
  } catch (error) {
    if (error instanceof HandsetError && error.code === 'hook.failed' && 'exitCode' in error.details) return false;
    throw error;
  }
}

function jsonFrom(output: Uint8Array, hook: string): unknown {
  const value = parseJson(output);
  if (value === undefined) throw new HandsetError('hook.output', { hook }, 'the hook did not print JSON');
  return value;
}

function idsFrom(output: Uint8Array): string[] {
  const ids = jsonFrom(output, 'choose');
  if (!Array.isArray(ids) || !ids.every((id) => typeof id === 'string'))
    throw new HandsetError('hook.output', { hook: 'choose' }, 'the hook did not print a list of content ids');
  return ids;
}

/** What a hook may see of our environment: enough to find programs, and no variable that could hold a secret. */
const PASSED_ON = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'];

/**
 * Runs a program without a shell, in a process group of its own, so that the time-out ends what it started as well.
 * @returns what it printed
 * @throws HandsetError `hook.failed` (exit code, signal, or no such program), `hook.timeout`, `hook.output`
 */
export function runHook(
  command: string,
  args: readonly string[],
  { input, timeoutMs }: { input: string; timeoutMs: number },
): Promise<Uint8Array> {
  const env = Object.fromEntries(PASSED_ON.flatMap((name) => (name in process.env ? [[name, process.env[name]]] : [])));
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'inherit'], detached: true });
    const chunks: Buffer[] = [];
    let size = 0;
    const end = (error: HandsetError) => {
      if (child.pid !== undefined) killGroup(child.pid);
      reject(error);
    };
    const timer = setTimeout(() => end(new HandsetError('hook.timeout', { command, timeoutMs })), timeoutMs);
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > OUTPUT_BYTES) end(new HandsetError('hook.output', { command }, 'the hook printed too much'));
      else chunks.push(chunk);
    });
    child.stdin.on('error', () => undefined); // a hook need not read its input
    child.stdin.end(input);
    child.on('error', (error) => reject(new HandsetError('hook.failed', { command }, error.message)));
    child.on('close', (exitCode, signal) => {
      clearTimeout(timer);
      if (exitCode === 0) resolve(Buffer.concat(chunks));
      else reject(new HandsetError('hook.failed', exitCode === null ? { command, signal } : { command, exitCode }));
    });
  });
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // it ended by itself in between
  }
}
