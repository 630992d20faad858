import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
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
  /** How many there are to ask, and how many were. */
  operations: Report['operations'];
  cases: number;
  /** What made its order and its examples: `MUSTER_FUZZ_SEED` for the same again. */
  seed: string;
  /** `completed`; `budget over`, when it was told to stop before every operation had its examples; or why it gave up, in its words. */
  ending: string;
  seconds: number;
  /** Every kind of failed check, with its operations; then what the program prints of them, abridged. */
  findings: string[];
}

export interface FuzzOptions {
  url: string;
  /** Where the report goes. */
  folder: string;
  phases: readonly ('examples' | 'coverage' | 'fuzzing')[];
  /** Cases of each operation, when fuzzing. */
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
const DOCUMENT = 'deploy/openapi.json';

/** The same unless asked, so that a change is judged by itself and not by the day; others find more. */
const seedOf = (env: NodeJS.ProcessEnv): string => env.MUSTER_FUZZ_SEED ?? '1';

/** The document, with its routes in an order of the seed's. */
export function shuffled<T extends { paths: object }>(document: T, seed: string): T {
  const rank = ([route]: [string, unknown]) => createHash('sha256').update(`${seed} ${route}`).digest('hex');
  const paths = Object.entries(document.paths).toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1));
  return { ...document, paths: Object.fromEntries(paths) };
}

/** Shows a server, until the budget is over, everything that deploy/openapi.json lets it expect, and what it does not. */
export async function fuzz(program: string, options: FuzzOptions): Promise<Fuzzed> {
  mkdirSync(options.folder, { recursive: true });
  const report = path.join(options.folder, 'schemathesis.json');
  const document = path.join(options.folder, 'openapi.json');
  const seed = seedOf(process.env);
  const routes = JSON.parse(readFileSync(DOCUMENT, 'utf8')) as { paths: object };
  writeFileSync(document, JSON.stringify(shuffled(routes, seed)));
  const began = Date.now();
  const args = [
    ...['--config-file', SETTINGS, 'run', document, '--url', options.url],
    ...['--phases', options.phases.join(), '--max-examples', String(options.examples)],
    ...['--seed', seed, '--continue-on-failure', '--no-shrink'],
    ...['--generation-database', 'none', '--request-timeout', '60', '--request-retries', '2'],
    ...['--suppress-health-check', 'too_slow'], // how fast it makes examples tells of the machine, not of the server
    ...['--no-color', '--warnings', 'off', '--report', 'json', '--report-json-path', report],
    ...options.args,
  ];
  const child = start(program, args, { cwd: options.folder }); // where it leaves notes of its own
  let isTold = false;
  const stop = setTimeout(() => {
    isTold = true;
    process.kill(child.pid, 'SIGINT');
  }, options.budgetSeconds * 1_000);
  await child.exited;
  clearTimeout(stop);
  if (!existsSync(report)) throw new Error(`schemathesis made no report:\n${child.output().slice(-4_000)}`);
  const {
    stop_reason,
    operations: counted,
    test_cases,
    failures,
    errors,
  } = JSON.parse(readFileSync(report, 'utf8')) as Report;
  const seconds = Math.round((Date.now() - began) / 1_000);
  const kinds = [...failures, ...errors].map((kind) => JSON.stringify(kind));
  const findings = kinds.length === 0 ? [] : [...kinds, ...printed(child.output())];
  const operations = { selected: counted.selected, tested: counted.tested };
  const ending = isTold && stop_reason === 'interrupted' ? 'budget over' : stop_reason;
  return { operations, cases: test_cases.generated, seed, ending, seconds, findings };
}

/** Its report of errors and failures; lines may be as long as the longest header. */
const printed = (output: string): string[] =>
  output
    .slice(output.search(/^=+ (ERRORS|FAILURES) =+$/m))
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(0, 200)
    .map((line) => line.slice(0, 300));
