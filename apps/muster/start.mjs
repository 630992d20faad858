// `npm start`: builds when a source is newer than the build, then runs it in this same process, so that signals arrive.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');
const built = path.join(root, 'dist/.tsbuildinfo');

/** When the newest file below the folder was changed; a folder's own time tells of files that went. */
function newest(folder) {
  const names = readdirSync(folder, { recursive: true });
  return Math.max(...['.', ...names].map((name) => statSync(path.join(folder, name)).mtimeMs));
}

const sources = ['apps', 'libs'].flatMap((kind) =>
  readdirSync(path.join(root, kind)).map((name) => path.join(root, kind, name, 'src')),
);
const inputs = ['package-lock.json', 'nest-cli.json', 'tsconfig.json', 'tsconfig.build.json'].map((name) =>
  path.join(root, name),
);
const changedAt = Math.max(...inputs.map((file) => statSync(file).mtimeMs), ...sources.filter(existsSync).map(newest));
const isFresh = existsSync(built) && statSync(built).mtimeMs > changedAt;
if (!isFresh) {
  process.stderr.write('building …\n');
  const nest = path.join(root, 'node_modules/@nestjs/cli/bin/nest.js');
  const { status } = spawnSync(process.execPath, [nest, 'build'], { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exit(status ?? 1);
}
await import('./build-console.mjs');
if (process.argv.includes('--kafka')) await startBroker();
await import(path.join(root, 'dist/apps/muster/src/main.js'));

/** A broker of this installation's own, in its data folder; it is told to end when this process ends. */
async function startBroker() {
  const { missing, runningKafka, startKafka } = await import(path.join(root, 'deploy/kafka/broker.mjs'));
  const lacking = missing();
  if (lacking !== undefined) {
    process.stderr.write(`muster: ${lacking}\n`);
    process.exit(1);
  }
  const folder = path.resolve(process.env.MUSTER_DATA || '.muster', 'broker');
  process.stderr.write(`starting Kafka in ${folder} …\n`);
  const before = runningKafka(folder)?.pids ?? [];
  const { brokers, pids } = await startKafka({ folder });
  process.stderr.write(`Kafka is at ${brokers.join(',')} (pid ${pids.join(', ')})\n`);
  Object.assign(process.env, { MUSTER_LOG: 'kafka', KAFKA_BROKERS: brokers.join(',') });
  // One that ran before may be another process's, which then has the data folder, and our start fails.
  process.once('exit', (code) => {
    for (const pid of pids) if (code === 0 || !before.includes(pid)) process.kill(pid, 'SIGTERM');
  });
}
