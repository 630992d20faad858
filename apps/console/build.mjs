// `npm run build:console`: types, type check, bundle into dist/apps/console, compressed copies beside it, and the first route's budget.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { compressAll, weigh } from './weigh.mjs';
import './types.mjs';

const root = path.resolve(import.meta.dirname, '../..');
const target = path.join(root, 'dist/apps/console');
const run = (script, ...args) => {
  const { status } = spawnSync(process.execPath, [path.join(root, 'node_modules', script), ...args], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) process.exit(status ?? 1);
};

run('typescript/bin/tsc', '--noEmit', '-p', '.');
run('vite/bin/vite.js', 'build', '--logLevel', 'warn');
compressAll(target);
const { lines, problems } = weigh(target);
for (const line of lines) console.log(line);
for (const problem of problems) console.error(problem);
process.exit(problems.length === 0 ? 0 : 1);
