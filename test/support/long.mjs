// `npm run test:long` runs the counts that take long, one part after the other; `npm run test:long -- kills` one of them.
// Each part takes 45 minutes at most on a quiet machine of two cores, the soak an hour and a quarter.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { nodeLts } from './node-lts.mjs';

const APART = ['test/fault/kill-rounds.spec.ts', 'test/fault/nemesis.spec.ts'];

const PARTS = {
  kills: {
    env: { MUSTER_FAULT_ROUNDS: '500' },
    args: ['--project', 'fault-kafka', 'test/fault/kill-rounds.spec.ts'],
  },
  'kills-postgres': {
    env: { MUSTER_FAULT_ROUNDS: '500' },
    args: ['--project', 'fault', 'test/fault/kill-rounds.spec.ts'],
  },
  nemesis: {
    env: { MUSTER_NEMESIS_MINUTES: '20' },
    args: ['--project', 'fault-kafka', 'test/fault/nemesis.spec.ts'],
  },
  faults: {
    env: { MUSTER_FAULT_ROUNDS: '50', MUSTER_BROKER_AWAY_SECONDS: '30' },
    args: ['--project', 'fault*', ...APART.flatMap((file) => ['--exclude', file])],
  },
  storm: { env: { MUSTER_STORM: 'long', MUSTER_PROPERTY_RUNS: '200' }, args: ['storm'] },
  soak: { env: { MUSTER_SOAK_MINUTES: '60' }, args: ['--project', 'acceptance', 'test/acceptance/soak.spec.ts'] },
  schemathesis: {
    env: { MUSTER_FUZZ_EXAMPLES: '1000' },
    args: ['--project', 'acceptance', 'test/acceptance/schemathesis.spec.ts'],
  },
  // A million virtual handsets through the rules of campaigns; it says what it took.
  simulation: {
    env: { MUSTER_SIMULATION_DEVICES: '1000000' },
    args: ['--project', 'unit', 'libs/campaign/src/simulation.spec.ts'],
  },
  // A million devices in the console's table, in real Chromium.
  'console-table': {
    env: { MUSTER_TABLE_DEVICES: '1000000' },
    args: ['--project', 'acceptance', 'test/acceptance/console-table.spec.ts'],
  },
  rebuilds: { env: { MUSTER_PROPERTY_RUNS: '100' }, args: ['rebuild-equality'] },
  rules: { env: { MUSTER_FUZZ_RULES: '10000' }, args: ['--project', 'integration', 'rule-fuzz'] },
  // What a card or its peer sends, five million inputs a target.
  fuzz: {
    env: { MUSTER_FUZZ_INPUTS: '5000000' },
    args: ['--project', 'unit', 'libs/globalplatform/src/fuzz.spec.ts'],
  },
  // Everything once, and the benches after it, on the other line of Node that is in support.
  'node-lts': { env: {}, args: [], node: nodeLts, benches: true },
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in PARTS));
if (unknown.length > 0) {
  process.stderr.write(`no such part: ${unknown.join(', ')}; there are ${Object.keys(PARTS).join(', ')}\n`);
  process.exit(2);
}
const failed = (asked.length > 0 ? asked : Object.keys(PARTS)).filter((name) => {
  const { env, args, node, benches = false } = PARTS[name];
  const { program, version } = node?.() ?? { program: process.execPath, version: process.version };
  process.stdout.write(`long part ${name}: ${JSON.stringify(env)}, Node ${version}\n`);
  // Programs that tests start by name are of the same Node.
  const PATH = `${path.dirname(program)}${path.delimiter}${process.env.PATH}`;
  const options = { stdio: 'inherit', env: { ...process.env, PATH, ...env } };
  const isDone = (...script) => spawnSync(program, script, options).status === 0;
  const isGood = isDone('node_modules/vitest/vitest.mjs', 'run', ...args);
  return !((!benches || isDone('test/bench/run.mjs')) && isGood);
});
if (failed.length > 0) process.stderr.write(`failed: ${failed.join(', ')}\n`);
process.exitCode = failed.length > 0 ? 1 : 0;
