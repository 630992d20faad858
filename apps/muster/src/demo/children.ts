import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Programs of the build, from this file's place in it. */
export const PROGRAMS = {
  muster: fileURLToPath(new URL('../main.js', import.meta.url)),
  handset: fileURLToPath(new URL('../../../handset/src/cli.js', import.meta.url)),
};

const STOP_MS = 8_000;

export interface Child {
  /** Everything printed so far, both streams. */
  output(): string;
  /** @throws when it ends or the time passes without the text */
  waitFor(pattern: RegExp, milliseconds: number): Promise<RegExpExecArray>;
  /** To its standard input. */
  write(text: string): void;
  /** Its exit code, when it ends by itself. */
  ended: Promise<number | null>;
  /** SIGTERM, and SIGKILL for what does not listen. */
  stop(): Promise<void>;
}

/** A Node program with a group of its own: Ctrl-C in the terminal reaches the demo alone, which then stops it in order. */
export function startChild(program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Child {
  const child: ChildProcess = spawn(process.execPath, [program, ...args], {
    env,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let text = '';
  const hear = (chunk: Buffer) => (text += chunk.toString('utf8'));
  child.stdout?.on('data', hear);
  child.stderr?.on('data', hear);
  child.stdin?.on('error', () => undefined); // it has gone: `ended` says so
  const ended = new Promise<number | null>((resolve) => {
    child.once('error', (error) => {
      text += String(error);
      resolve(null);
    });
    child.once('close', resolve);
  });
  const isRunning = () => child.exitCode === null && child.signalCode === null && child.pid !== undefined;
  const waitFor = async (pattern: RegExp, milliseconds: number): Promise<RegExpExecArray> => {
    for (const deadline = Date.now() + milliseconds; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
      const match = pattern.exec(text);
      if (match !== null) return match;
      if (!isRunning() || Date.now() > deadline)
        throw new Error(`${program} did not print ${pattern}:\n${text.slice(-1_500)}`);
    }
  };
  const stop = async (): Promise<void> => {
    if (!isRunning()) return;
    child.kill('SIGTERM');
    const kill = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(kill);
  };
  const write = (input: string): void => void child.stdin?.write(input);
  return { output: () => text, waitFor, write, ended, stop };
}
