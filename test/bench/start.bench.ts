import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#event-log/index.js';
import { silentLog } from '#runtime/index.js';
import { temporaryFolder } from '../support/processes.js';
import { startServer } from '../support/server.js';
import type { Cost } from './figures.js';
import { bench } from './harness.js';

/** How often it has been started before: the first start makes everything. */
const STARTS = [1, 2, 3];
const folder = temporaryFolder('bench-start');
let database: EmbeddedPostgres | undefined;
/** Data folders so far, by contender. */
const made = { muster: 0, postgres: 0 };
/** By start, as it says itself. */
const longest = new Map<number, number>();

async function timed(work: () => Promise<unknown>): Promise<Cost> {
  const begun = performance.now();
  await work();
  return { count: 1, seconds: (performance.now() - begun) / 1000 };
}

/** The n-th start on one data folder; each round has a folder of its own. */
async function muster(nth: number): Promise<Cost> {
  if (nth === 1) made.muster += 1;
  const data = path.join(folder.path, `muster-${made.muster}`, 'data');
  mkdirSync(data, { recursive: true });
  const begun = performance.now();
  const server = await startServer({ data });
  const seconds = (performance.now() - begun) / 1000;
  longest.set(nth, Math.max(longest.get(nth) ?? 0, server.readyMs));
  await server.process.stop();
  // The first start of a folder makes an administrator, and says so; it is no other start than the one that was asked for.
  if ((server.administrator !== undefined) !== (nth === 1)) throw new Error(`this was no start number ${nth}`);
  return { count: 1, seconds };
}

/** Its database alone, the n-th time. */
async function postgres(nth: number): Promise<Cost> {
  if (nth === 1) made.postgres += 1;
  const dataDir = path.join(folder.path, `postgres-${made.postgres}`);
  const cost = await timed(async () => (database = await startEmbeddedPostgres({ dataDir, log: silentLog })));
  await database?.stop();
  return cost;
}

const node = (): Promise<Cost> => timed(async () => spawnSync(process.execPath, ['-e', '']));

beforeAll(() => void spawnSync(process.execPath, ['-e', '']));
afterAll(() => folder.remove());

bench({
  name: 'start',
  load: '`npm start` of a build that is fresh, embedded, from the process to ready; the first start makes database, keys and administrator',
  unit: 'start',
  clock: 'wall',
  sizes: { of: 'th start', values: STARTS },
  contenders: [
    { name: 'muster', run: muster },
    { name: 'its Postgres alone', run: postgres },
    { name: "node -e ''", run: node },
  ],
  goals: [],
  notes: () => [
    `longest of all rounds until ready, as it says itself: ${[...longest].map(([nth, ms]) => `${ms} ms at start ${nth}`).join(', ')}; the goals are 15 000 and then 5 000`,
  ],
});
