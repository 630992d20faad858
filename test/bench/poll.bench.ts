import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { type Enrolled, Installation } from '../support/installation.js';
import { type Running, startNode } from '../support/processes.js';
import { cpuOf, DRIVING_CORE, MEASURED_CORE, pin } from './cpu.js';
import { bench, type Contender } from './harness.js';
import { type Nginx, serverIdentity, startNginx } from './nginx.js';
import { contextsFor, KeptConnections, pollAnew, sessionsOf, type Target } from './polling.js';

/*
 * The availability request, nothing new: a conditional GET of the timestamp, answered 304. Muster as `npm start` runs it,
 * against nginx with the same 304 as a static file, and the least handler that node:https can have.
 */

const DEVICES = 64;
const KEPT = 'polls on kept connections';
const NEW = 'polls on new connections';

/** A test's clock is a file, read at each look; and a machine that stops for a second must not have polls sent away. */
const AS_IN_USE = { MUSTER_TEST_CLOCK: '', MUSTER_HANDSET_LEAST_PER_SECOND: '100000' };

let muster: Installation;
let nginx: Nginx;
let bare: Running;
let barePort = 0;
/** PEM of the authority that signed what nginx and the bare handler show. */
let authority = '';
let devices: { certificate: string; key: string }[] = [];
let repository = { path: '', etag: '' };

beforeAll(async () => {
  muster = await Installation.start('bench-poll', AS_IN_USE);
  const enrolled: Enrolled[] = [];
  for (let i = 0; i < DEVICES; i += 1) enrolled.push(await muster.enrol());
  devices = enrolled.map(({ certificate, key }) => ({ certificate, key: key.privateKeyPem }));
  const at = `${enrolled[0]!.tuf}timestamp.json`;
  const { headers, bytes } = await muster.handset('GET', at);
  repository = { path: at, etag: headers.etag! };
  const folder = muster.folder.path;
  const clientCa = path.join(folder, 'device-ca.pem');
  writeFileSync(clientCa, authorityOf(enrolled[0]!.certificate));
  const identity = serverIdentity(folder);
  authority = readFileSync(identity.ca, 'utf8');
  mkdirSync(path.join(folder, 'served'));
  writeFileSync(path.join(folder, 'served', 'timestamp.json'), bytes);
  const same = { 'muster-interval': headers['muster-interval'] as string, 'cache-control': headers['cache-control']! };
  nginx = await startNginx({ folder, ...identity, clientCa, headers: same });
  const settings = { ...identity, ca: clientCa, etag: '"bare"', headers: same, folder: path.join(folder, 'served') };
  bare = startNode('test/bench/bare-https.mjs', [JSON.stringify(settings)]);
  barePort = Number((await bare.waitFor(/listening on (\d+)/))[1]);
  for (const pid of [muster.server.process.pid, bare.pid, ...nginx.pids]) pin(pid, MEASURED_CORE);
  pin(process.pid, DRIVING_CORE);
}, 300_000);
afterAll(async () => {
  await nginx?.process.stop();
  await bare?.stop();
  await muster?.stop();
});

/** What enrolment answers is the device's certificate, then its authority's. */
const authorityOf = (chain: string): string => chain.slice(chain.lastIndexOf('-----BEGIN'));

type Server = 'nginx' | 'node:https' | 'muster';

const pidsOf = (server: Server): number[] =>
  ({ nginx: nginx.pids, 'node:https': [bare.pid], muster: [muster.server.process.pid] })[server];

function targetOf(server: Server, withCertificates: boolean): Target {
  const by = withCertificates ? devices : [];
  if (server === 'muster')
    return { port: muster.server.handsetPort, ...repository, contexts: contextsFor(muster.ca, by) };
  const contexts = contextsFor(authority, by);
  if (server === 'nginx')
    return { port: nginx.port, path: '/timestamp.json', etag: nginx.etagOf('timestamp.json'), contexts };
  return { port: barePort, path: '/timestamp.json', etag: '"bare"', contexts };
}

const kept = (name: string, server: Server, withCertificates: boolean): Contender => ({
  name,
  run: async (connections) => {
    const open = await KeptConnections.open(targetOf(server, withCertificates), connections);
    await open.poll(3_000);
    const cost = await cpuOf(pidsOf(server), () => open.poll(20_000));
    open.close();
    return cost;
  },
});

interface Anew {
  withCertificates: boolean;
  isResumed: boolean;
}

const anew = (name: string, server: Server, { withCertificates, isResumed }: Anew): Contender => ({
  name,
  run: async (atOnce) => {
    const target = targetOf(server, withCertificates);
    const resuming = isResumed ? { sessions: await sessionsOf(target) } : {};
    await pollAnew(target, { total: 200, atOnce, ...resuming });
    return cpuOf(pidsOf(server), () => pollAnew(target, { total: 1_500, atOnce, ...resuming }));
  },
});

describe('poll', () => {
  bench({
    name: KEPT,
    load: `One poll after the other on each connection, TLS 1.3, 20,000 in all; nothing new (304). ${DEVICES} devices, one core for the server, the client on another.`,
    unit: 'poll',
    clock: 'cpu',
    sizes: { of: 'connections', values: [8, 64, 512] },
    contenders: [
      kept('nginx', 'nginx', false),
      kept('node:https, bare', 'node:https', false),
      kept('muster, unrecorded', 'muster', false),
      kept('muster, recorded', 'muster', true),
    ],
    goals: [
      { of: 'muster, unrecorded', against: 'nginx', costsAtMost: 2.5 },
      { of: 'muster, recorded', against: 'nginx', costsAtMost: 3.3 },
    ],
    slopesBelow: { 'muster, unrecorded': 0.2, 'muster, recorded': 0.2 },
  });

  const full = { withCertificates: false, isResumed: false };
  const certified = { withCertificates: true, isResumed: false };
  const resumed = { withCertificates: true, isResumed: true };
  bench({
    name: NEW,
    load: `A new TLS 1.3 connection a poll (X25519, ECDSA P-256), 1,500 in all; nothing new (304). ${DEVICES} devices; "resumed" is by the ticket of a full handshake, with the device's certificate in it.`,
    unit: 'poll',
    clock: 'cpu',
    sizes: { of: 'connections at once', values: [2, 8, 32] },
    contenders: (['nginx', 'node:https', 'muster'] as const).flatMap((server) => [
      anew(`${server}, full, no certificate`, server, full),
      anew(`${server}, full, certificate`, server, certified),
      anew(`${server}, resumed`, server, resumed),
    ]),
    goals: [
      { of: 'muster, full, no certificate', against: 'nginx, full, no certificate', costsAtMost: 1.8 },
      { of: 'muster, full, certificate', against: 'nginx, full, certificate', costsAtMost: 1.8 },
      { of: 'muster, resumed', against: 'nginx, resumed', costsAtMost: 1.6 },
    ],
    slopesBelow: { 'muster, full, certificate': 0.2, 'muster, resumed': 0.2 },
  });
});
