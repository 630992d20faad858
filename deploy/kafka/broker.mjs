// A real Apache Kafka (KRaft, no ZooKeeper) on this machine, for tests and development: one broker or three, each of
// them also a controller. State of a cluster is one folder: cluster.json, and node-<n>/ with settings, data, log and pid.
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  readdirSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const root = path.resolve(import.meta.dirname, '../..');
export const home = path.resolve(process.env.MUSTER_KAFKA_HOME ?? path.join(root, '.muster/kafka'));
const jars = path.join(home, 'jars');
const READY_MS = 90_000;
const STOP_MS = 30_000;

export function missing() {
  if (spawnSync('java', ['-version']).status !== 0) return 'java is not on this machine';
  const found = existsSync(jars) && readdirSync(jars).some((name) => name.startsWith('kafka_2.13-'));
  return found ? undefined : `no Kafka in ${jars}: run npm run kafka -- fetch once`;
}

/** Downloads beside and renames, so that a broken download is never taken for a whole one. */
export function fetchJars() {
  const beside = path.join(home, `jars.${process.pid}`);
  mkdirSync(home, { recursive: true });
  const goals = ['-B', '-q', '-f', path.join(import.meta.dirname, 'pom.xml'), 'dependency:copy-dependencies'];
  const { status, error } = spawnSync('mvn', [...goals, `-DoutputDirectory=${beside}`], { stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error(`mvn could not fetch Kafka (${error?.message ?? `exit ${status}`})`);
  if (existsSync(jars)) renameSync(jars, path.join(home, `jars.old-${Date.now()}`));
  renameSync(beside, jars);
}

export async function startKafka(options = {}) {
  const { folder = home, brokers = 1, freePorts = false, properties = {}, advertised } = options;
  const problem = missing();
  if (problem !== undefined) throw new Error(problem);
  if (brokers !== 1 && brokers !== 3) throw new Error(`one broker or three, not ${brokers}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const cluster = readCluster(folder) ?? { id: randomBytes(16).toString('base64url'), nodes: [] };
  if (cluster.nodes.length > 0 && cluster.nodes.length !== brokers)
    throw new Error(`${folder} holds a cluster of ${cluster.nodes.length}; stop it and remove the folder first`);
  if (cluster.nodes.length === 0 || cluster.nodes.some((node) => pidOf(folder, node.id) === undefined))
    cluster.nodes = await placed(folder, cluster.nodes, { brokers, freePorts });
  cluster.properties = properties;
  for (const [index, port] of (advertised ?? []).entries()) {
    const node = cluster.nodes[index];
    Object.assign(node, { advertised: port, clientPort: node.clientPort ?? (await freePort(0)) });
  }
  writeFileSync(path.join(folder, 'cluster.json'), JSON.stringify(cluster));
  await Promise.all(cluster.nodes.map(({ id }) => startBroker(folder, id)));
  return runningKafka(folder);
}

export async function startBroker(folder, node) {
  const running = pidOf(folder, node);
  if (running !== undefined) return running;
  const at = nodeFolder(folder, node);
  mkdirSync(at, { recursive: true });
  const settings = path.join(at, 'server.properties');
  const cluster = readCluster(folder);
  writeFileSync(settings, propertiesOf(cluster, node, at));
  const logFile = path.join(at, 'server.log');
  if (existsSync(logFile)) renameSync(logFile, `${logFile}.1`);
  format(cluster.id, settings);
  const out = openSync(logFile, 'a');
  // A group of its own: a Ctrl-C stops the application first.
  const child = spawn('java', [...JAVA, 'kafka.Kafka', settings], { detached: true, stdio: ['ignore', out, out] });
  closeSync(out);
  let end;
  child.once('error', (error) => (end = error.message));
  child.once('exit', (code, signal) => (end = `exit ${code ?? signal}`));
  child.unref();
  if (child.pid !== undefined) writeFileSync(path.join(at, 'pid'), String(child.pid));
  for (const deadline = Date.now() + READY_MS; ; await sleep(100)) {
    if (readFileSync(logFile, 'utf8').includes('Kafka Server started')) return child.pid;
    if (end !== undefined) throw new Error(`broker ${node} ended (${end}): see ${logFile}`);
    if (Date.now() > deadline) throw new Error(`broker ${node} is not ready after ${READY_MS} ms: see ${logFile}`);
  }
}

export function runningKafka(folder = home) {
  const nodes = readCluster(folder)?.nodes ?? [];
  const pids = nodes.map(({ id }) => pidOf(folder, id)).filter((pid) => pid !== undefined);
  if (pids.length === 0) return undefined;
  const clientPorts = nodes.flatMap(({ clientPort }) => (clientPort === undefined ? [] : [clientPort]));
  return { brokers: nodes.map(({ port }) => `127.0.0.1:${port}`), clientPorts, pids };
}

/** Asks, waits, and kills what does not go; only processes that show this folder's settings in their command line. */
export async function stopKafka(folder = home) {
  const nodes = readCluster(folder)?.nodes ?? [];
  const stopped = await Promise.all(nodes.map(({ id }) => end(folder, id, 'SIGTERM')));
  return stopped.filter((pid) => pid !== undefined);
}

export async function killBroker(folder, node) {
  await end(folder, node, 'SIGKILL');
}

async function end(folder, node, signal) {
  const pid = pidOf(folder, node);
  if (pid === undefined) return undefined;
  process.kill(pid, signal);
  for (const deadline = Date.now() + STOP_MS; pidOf(folder, node) === pid; await sleep(50))
    if (Date.now() > deadline) process.kill(pid, 'SIGKILL');
  return pid;
}

const nodeFolder = (folder, node) => path.join(folder, `node-${node}`);

function readCluster(folder) {
  const file = path.join(folder, 'cluster.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}

/** A pid file may be left from a killed machine, and its number may be another program's by now. */
function pidOf(folder, node) {
  const file = path.join(nodeFolder(folder, node), 'pid');
  const pid = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  if (!(pid > 0)) return undefined;
  const { stdout = '' } = spawnSync('ps', ['-o', 'stat=,args=', '-p', String(pid)], { encoding: 'utf8' });
  const isOurs = stdout.includes(path.join(nodeFolder(folder, node), 'server.properties'));
  return isOurs && !/^\s*Z/.test(stdout) ? pid : undefined;
}

/** Ports of the last start while they are free. */
async function placed(folder, known, { brokers, freePorts }) {
  const nodes = [];
  for (let id = 1; id <= brokers; id += 1) {
    const last = known.find((node) => node.id === id);
    if (last !== undefined && pidOf(folder, id) !== undefined) nodes.push(last);
    else {
      const first = { port: 9092 + 2 * (id - 1), controllerPort: 9093 + 2 * (id - 1) };
      const { port, controllerPort } = last ?? (freePorts ? { port: 0, controllerPort: 0 } : first);
      nodes.push({ id, port: await freePort(port), controllerPort: await freePort(controllerPort) });
    }
  }
  return nodes;
}

const freePort = (wanted) =>
  new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error) =>
      error.code === 'EADDRINUSE' && wanted !== 0 ? resolve(freePort(0)) : reject(error),
    );
    probe.listen({ port: wanted, host: '127.0.0.1' }, () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });

const JAVA = ['-Xmx512m', '-XX:+UseSerialGC', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'];
JAVA.push('-Dorg.slf4j.simpleLogger.log.kafka.server=info', '-cp', path.join(jars, '*'));

function format(clusterId, settings) {
  // With `=`: one id in 64 begins with a dash, and would be taken for an option.
  const tool = ['kafka.tools.StorageTool', 'format', '--ignore-formatted', `--cluster-id=${clusterId}`, '-c', settings];
  const { status, stderr } = spawnSync('java', [...JAVA, ...tool], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the broker's folder cannot be formatted: ${stderr}`);
}

function propertiesOf({ nodes, properties }, node, at) {
  const { port, controllerPort, clientPort, advertised } = nodes.find(({ id }) => id === node);
  // Clients behind a proxy: a door of their own, so that the brokers still reach each other when it is shut.
  const [inside, outside] =
    clientPort === undefined ? ['', ''] : [`,CLIENT://127.0.0.1:${clientPort}`, `,CLIENT://127.0.0.1:${advertised}`];
  const copies = Math.min(3, nodes.length);
  const insync = copies === 3 ? 2 : 1;
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': node,
    'controller.quorum.voters': nodes.map((each) => `${each.id}@127.0.0.1:${each.controllerPort}`).join(','),
    listeners: `BROKER://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}${inside}`,
    'advertised.listeners': `BROKER://127.0.0.1:${port}${outside}`,
    'inter.broker.listener.name': 'BROKER',
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'BROKER:PLAINTEXT,CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': path.join(at, 'data'),
    'auto.create.topics.enable': false,
    'default.replication.factor': copies,
    'min.insync.replicas': insync,
    'unclean.leader.election.enable': false,
    'offsets.topic.replication.factor': copies,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': insync,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': copies,
    'share.coordinator.state.topic.min.isr': insync,
    'group.initial.rebalance.delay.ms': 0,
    'broker.session.timeout.ms': 3_000, // a killed broker may register again after this
    'broker.heartbeat.interval.ms': 500,
    'log.cleaner.dedupe.buffer.size': 8_388_608, // of 128 MiB, which is half of a small heap
    ...properties,
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}
