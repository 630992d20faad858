import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe } from 'vitest';
import { GivenPostgres } from '../support/given-postgres.js';
import { type Enrolled, Installation } from '../support/installation.js';
import { freePort, type Running, startNode } from '../support/processes.js';
import { cpuOf, DRIVING_CORE, MEASURED_CORE, pin } from './cpu.js';
import { bench, type Contender } from './harness.js';
import { type Nginx, serverIdentity, startNginx } from './nginx.js';
import { contextsFor, KeptConnections, pollAnew, sessionsOf, type Target } from './polling.js';

/*
 * The availability request, nothing new: a conditional GET of the timestamp, answered 304. The campaign service as a large
 * fleet has it, and `npm start`, where the same process also projects what the polls put on record; against nginx with the
 * same 304 as a static file, and the least handler that node:https can have.
 */

const DEVICES = 512;
const KEPT = 'polls on kept connections';
const NEW = 'polls on new connections';

/** A test's clock is a file, read at each look; and a machine that stops for a second must not have polls sent away. */
const AS_IN_USE = { MUSTER_TEST_CLOCK: '', MUSTER_HANDSET_LEAST_PER_SECOND: '100000' };

let postgres: GivenPostgres;
let muster: Installation;
let campaign: Running;
let campaignPort = 0;
let nginx: Nginx;
let bare: Running;
let barePort = 0;
/** PEM of the authority that signed what nginx and the bare handler show. */
let authority = '';
let devices: { certificate: string; key: string }[] = [];
let repository = { path: '', etag: '' };

beforeAll(async () => {
  postgres = await GivenPostgres.start();
  muster = await Installation.start('bench-poll', { ...AS_IN_USE, DATABASE_URL: postgres.url });
  const enrolled: Enrolled[] = [];
  for (let i = 0; i < DEVICES; i += 1) enrolled.push(await muster.enrol());
  devices = enrolled.map(({ certificate, key }) => ({ certificate, key: key.privateKeyPem }));
  const at = `${enrolled[0]!.tuf}timestamp.json`;
  const { headers, bytes } = await muster.handset('GET', at);
  repository = { path: at, etag: headers.etag! };
  const folder = muster.folder.path;
  const clientCa = path.join(folder, 'device-ca.pem');
  writeFileSync(clientCa, await deviceAuthority());
  const identity = serverIdentity(folder);
  authority = readFileSync(identity.ca, 'utf8');
  mkdirSync(path.join(folder, 'served'));
  writeFileSync(path.join(folder, 'served', 'timestamp.json'), bytes);
  const same = { 'muster-interval': headers['muster-interval'] as string, 'cache-control': headers['cache-control']! };
  nginx = await startNginx({ folder, ...identity, clientCa, headers: same });
  const settings = { ...identity, ca: clientCa, etag: '"bare"', headers: same, folder: path.join(folder, 'served') };
  bare = startNode('test/bench/bare-https.mjs', [JSON.stringify(settings)]);
  barePort = Number((await bare.waitFor(/listening on (\d+)/))[1]);
  campaign = await startCampaign();
  for (const pid of [muster.server.process.pid, campaign.pid, bare.pid, ...nginx.pids]) pin(pid, MEASURED_CORE);
  pin(process.pid, DRIVING_CORE);
}, 300_000);
afterAll(async () => {
  await nginx?.process.stop();
  await bare?.stop();
  await campaign?.stop();
  await muster?.stop();
  await postgres?.remove();
});

/** PEM of who certifies devices: no door shows it, since a handset has no use for it. */
async function deviceAuthority(): Promise<string> {
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  const { rows } = await client.query<{ certificate: string }>(
    `select certificate from ops.authority where kind = 'device'`,
  );
  await client.end();
  return rows[0]!.certificate;
}

/** On the database and folder of the installation that runs already. */
async function startCampaign(): Promise<Running> {
  campaignPort = await freePort();
  const ports = { MUSTER_PORT: '0', MUSTER_HANDSET_PORT: String(campaignPort) };
  const env = { ...process.env, ...AS_IN_USE, ...ports, MUSTER_DATA: muster.server.data, DATABASE_URL: postgres.url };
  const started = startNode('dist/apps/campaign/src/main.js', [], { env });
  await started.waitFor(/ is ready at /);
  return started;
}

type Server = 'nginx' | 'node:https' | 'campaign' | 'npm start';

const pidsOf = (server: Server): number[] =>
  ({
    nginx: nginx.pids,
    'node:https': [bare.pid],
    campaign: [campaign.pid],
    'npm start': [muster.server.process.pid],
  })[server];

function targetOf(server: Server, withCertificates: boolean): Target {
  const by = withCertificates ? devices : [];
  if (server === 'campaign') return { port: campaignPort, ...repository, contexts: contextsFor(muster.ca, by) };
  if (server === 'npm start')
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
    await open.poll(2_000);
    const cost = await cpuOf(pidsOf(server), () => open.poll(10_000));
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
    await pollAnew(target, { total: 50, atOnce, ...resuming });
    return cpuOf(pidsOf(server), () => pollAnew(target, { total: 300, atOnce, ...resuming }));
  },
});

describe('poll', () => {
  bench({
    name: KEPT,
    load: `One poll after the other on each connection, TLS 1.3, 10,000 in all; nothing new (304). ${DEVICES} devices, one core for the server, the client on another.`,
    unit: 'poll',
    clock: 'cpu',
    sizes: { of: 'connections', values: [8, 64, 512] },
    contenders: [
      kept('nginx', 'nginx', false),
      kept('node:https, bare', 'node:https', false),
      kept('campaign, unrecorded', 'campaign', false),
      kept('campaign, recorded', 'campaign', true),
      kept('npm start, recorded and projected', 'npm start', true),
    ],
    goals: [
      { of: 'campaign, unrecorded', against: 'nginx', costsAtMost: 2.5 },
      { of: 'campaign, recorded', against: 'nginx', costsAtMost: 3.3 },
    ],
    slopesBelow: { 'campaign, unrecorded': 0.2, 'campaign, recorded': 0.2 },
  });

  const full = { withCertificates: false, isResumed: false };
  const certified = { withCertificates: true, isResumed: false };
  const resumed = { withCertificates: true, isResumed: true };
  bench({
    name: NEW,
    load: `A new TLS 1.3 connection a poll (X25519, ECDSA P-256), 300 in all; nothing new (304). ${DEVICES} devices; "resumed" is by the ticket of a full handshake, with the device's certificate in it.`,
    unit: 'poll',
    clock: 'cpu',
    sizes: { of: 'connections at once', values: [2, 8, 32] },
    contenders: (['nginx', 'node:https', 'campaign'] as const).flatMap((server) => [
      anew(`${server}, full, no certificate`, server, full),
      anew(`${server}, full, certificate`, server, certified),
      anew(`${server}, resumed`, server, resumed),
    ]),
    goals: [
      { of: 'campaign, full, no certificate', against: 'nginx, full, no certificate', costsAtMost: 1.8 },
      { of: 'campaign, full, certificate', against: 'nginx, full, certificate', costsAtMost: 1.8 },
      { of: 'campaign, resumed', against: 'nginx, resumed', costsAtMost: 1.6 },
    ],
    slopesBelow: { 'campaign, full, certificate': 0.2, 'campaign, resumed': 0.2 },
  });
});
