import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { start } from './processes.js';

/** The part of its JSON report that we read. */
interface Report {
  stop_reason: string;
  operations: { selected: number; tested: number };
  test_cases: { generated: number };
  failures: { title: string; count: number; operations: string[] }[];
  errors: { title: string; count: number }[];
}

export interface Fuzzed {
  operations: Report['operations'];
  cases: number;
  /** False when the budget was over before every operation had its examples. */
  isComplete: boolean;
  seconds: number;
  /** Every kind of failed check, with its operations; then what the program prints of them, abridged. */
  findings: string[];
}

export interface FuzzOptions {
  url: string;
  /** Where the report goes. */
  folder: string;
  /** Cases of each operation. */
  examples: number;
  /** After which it is told to stop, and to say what it has. */
  budgetSeconds: number;
  args: readonly string[];
}

/**
 * The program beside the Python of `MUSTER_PYTHON`, in `.muster/python`, or on the path.
 * @returns undefined where there is none: the caller skips, with the printed reason
 * @throws Error instead with `MUSTER_TEST_ALL=1`
 */
export function schemathesis(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const beside = [env.MUSTER_PYTHON, '.muster/python/bin/python'].flatMap((python) =>
    python === undefined ? [] : [path.join(path.dirname(python), 'schemathesis')],
  );
  const found = beside.find((file) => existsSync(file));
  if (found !== undefined) return found;
  if (spawnSync('schemathesis', ['--version']).status === 0) return 'schemathesis';
  const reason = 'no schemathesis (pip install schemathesis==4.32.5 beside the Python of MUSTER_PYTHON)';
  if (env.MUSTER_TEST_ALL === '1') throw new Error(reason);
  console.log(`skipped: ${reason}`);
  return undefined;
}

const SETTINGS = path.resolve(import.meta.dirname, 'schemathesis.toml');

/** Shows a server everything that deploy/openapi.json lets it expect, and what it does not. */
export async function fuzz(program: string, options: FuzzOptions): Promise<Fuzzed> {
  const report = path.join(options.folder, 'schemathesis.json');
  const began = Date.now();
  const args = [
    ...['--config-file', SETTINGS, 'run', path.resolve('deploy/openapi.json'), '--url', options.url],
    ...['--phases', 'examples,coverage,fuzzing', '--max-examples', String(options.examples)],
    ...['--seed', process.env.MUSTER_FUZZ_SEED ?? '1', '--continue-on-failure', '--no-shrink'],
    ...['--generation-database', 'none', '--request-timeout', '60', '--request-retries', '2'],
    ...['--no-color', '--warnings', 'off', '--report', 'json', '--report-json-path', report],
    ...options.args,
  ];
  const child = start(program, args, { cwd: options.folder }); // where it leaves notes of its own
  const stop = setTimeout(() => process.kill(child.pid, 'SIGINT'), options.budgetSeconds * 1_000);
  await child.exited;
  clearTimeout(stop);
  if (!existsSync(report)) throw new Error(`schemathesis made no report:\n${child.output().slice(-4_000)}`);
  const { stop_reason, operations, test_cases, failures, errors } = JSON.parse(readFileSync(report, 'utf8')) as Report;
  const seconds = Math.round((Date.now() - began) / 1_000);
  const kinds = [...failures, ...errors].map((kind) => JSON.stringify(kind));
  const findings = kinds.length === 0 ? [] : [...kinds, ...printed(child.output())];
  return { operations, cases: test_cases.generated, isComplete: stop_reason === 'completed', seconds, findings };
}

/** Its report of errors and failures; lines may be as long as the longest header. */
const printed = (output: string): string[] =>
  output
    .slice(output.search(/^=+ (ERRORS|FAILURES) =+$/m))
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(0, 200)
    .map((line) => line.slice(0, 300));
