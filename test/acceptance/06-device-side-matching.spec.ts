import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCanaries, numberCanary, textCanary } from '../support/canary.js';
import { asSuperuser, scanSegments, scanTables } from '../support/database-scan.js';
import { eventually, type Running, temporaryFolder } from '../support/processes.js';
import { throttlingProxy } from '../support/proxies.js';
import {
  brokerFolder,
  Cli,
  Handset,
  onKafka,
  proxyAuthority,
  removeServer,
  type Server,
  startServer,
} from '../support/server.js';
import { type Watch, watch } from '../support/watched.js';

/*
 * System 6 through public doors only: server and agents are processes of their own, mutual TLS between them. Between
 * each polling agent and the server stands a proxy that ends TLS and keeps what passes; behind it a throttle.
 */

interface Progress {
  funnel: Record<'polled' | 'matched' | 'requested' | 'transferred' | 'installed' | 'confirmed', number>;
  dropped?: unknown;
}
interface TimelineLine {
  eventAt: string;
  event: string;
  text: string;
  seq: string;
}
interface Agent {
  handset: Handset;
  deviceId: string;
  attributes: Record<string, string | number | boolean | string[]>;
  fits: boolean;
  polls: boolean;
  daemon?: Running;
  proxy?: Watch;
}

const MIB = 1024 * 1024;
const SELECTOR = 'device.model.startsWith("MX-") && device.memoryFree >= 1000000000 && size(device.apps) >= 2';
const SCHEMA = {
  attributes: {
    model: { type: 'string' },
    os: { type: 'string', personal: true },
    memoryFree: { type: 'int' },
    apps: { type: 'list<string>' },
    roaming: { type: 'bool' },
  },
};
const RULES = {
  rules: [
    { id: 'home-network', on: ['network'], when: '!device.roaming && event.network == "wifi"' },
    { id: 'asked', on: ['manual'] },
  ],
};

const folder = temporaryFolder('acceptance-06');
const file = (name: string, bytes: string | Buffer): string => {
  const where = path.join(folder.path, name);
  writeFileSync(where, bytes);
  return where;
};
const bytes = randomBytes(6 * MIB);
const sha256 = createHash('sha256').update(bytes).digest('hex');

/** Two that fit, one that does not, two that would fit but whose stored rule is not satisfied. Booleans alone are no canaries. */
const characteristics: {
  name: string;
  prefix: string;
  free: [number, number];
  apps: number;
  roaming: boolean;
  fits: boolean;
}[] = [
  { name: 'fits-a', prefix: 'MX-', free: [1_000_000_000, 2_000_000_000], apps: 2, roaming: false, fits: true },
  { name: 'fits-b', prefix: 'MX-', free: [3_000_000_000, 9_000_000_000], apps: 5, roaming: false, fits: true },
  { name: 'other-model', prefix: 'QZ-', free: [1_000_000_000, 2_000_000_000], apps: 2, roaming: false, fits: false },
  { name: 'roaming-a', prefix: 'MX-', free: [1_000_000_000, 2_000_000_000], apps: 3, roaming: true, fits: false },
  { name: 'roaming-b', prefix: 'MX-', free: [1_000_000_000, 2_000_000_000], apps: 3, roaming: true, fits: false },
];

let server: Server;
let cli: Cli;
let throttle: Awaited<ReturnType<typeof throttlingProxy>>;
let bytesPerSecond = Number.POSITIVE_INFINITY;
let authority: ReturnType<typeof proxyAuthority>;
let contentId = '';
let campaignId = '';
let beforeStart = '';
const agents: Agent[] = [];
const canaries: (string | number)[] = [];

const progress = (asOf?: string): Promise<Progress> =>
  cli.json('campaign', 'progress', campaignId, ...(asOf === undefined ? [] : ['--as-of', asOf]));
const timeline = (agent: Agent, asOf?: string): Promise<TimelineLine[]> =>
  cli
    .text(
      'device',
      'timeline',
      agent.deviceId,
      '--limit',
      '200',
      '--json',
      ...(asOf === undefined ? [] : ['--as-of', asOf]),
    )
    .then(parseLines);
const parseLines = (text: string): TimelineLine[] => {
  const whole = text.trim();
  if (whole.startsWith('[')) return JSON.parse(whole) as TimelineLine[];
  return whole === '' ? [] : whole.split('\n').map((line) => JSON.parse(line) as TimelineLine);
};
const heldFile = (agent: Agent): string => path.join(agent.handset.folder, 'contents', contentId);
const holdsContent = (agent: Agent): boolean => existsSync(heldFile(agent));
const named = (name: string): Agent => agents.find(({ handset }) => handset.name === name)!;

async function enrol(characteristic: (typeof characteristics)[number]): Promise<Agent> {
  const { name, prefix, free, apps, roaming, fits } = characteristic;
  const attributes = {
    model: textCanary(prefix),
    os: textCanary(),
    memoryFree: numberCanary(...free),
    apps: Array.from({ length: apps }, () => textCanary()),
    roaming,
  };
  canaries.push(attributes.model, attributes.os, attributes.memoryFree, ...attributes.apps);
  const handset = new Handset(name, folder.path, { MUSTER_TEST_CLOCK: server.clockFile });
  const { line } = await cli.json<{ line: string }>('device', 'code', '--label', name);
  const [, ...args] = line.split(' ').slice(1);
  await handset.text(...args);
  const { deviceId } = JSON.parse(await handset.text('status')) as { deviceId: string };
  file(`${name}/attributes.json`, JSON.stringify(attributes));
  return { handset, deviceId, attributes, fits, polls: !roaming };
}

const standBetween = async (agent: Agent): Promise<void> => {
  agent.proxy = await watch(agent.handset, throttle.port, authority);
};

const partialBytes = (agent: Agent): number => {
  const where = path.join(agent.handset.folder, 'partial', contentId);
  return existsSync(where) ? statSync(where).size : 0;
};

/** One request to the server by way of the proxy, as any program on the handset could send it. */
async function postAs(agent: Agent, at: string, body: object): Promise<{ status: number; sent: Buffer }> {
  const before = agent.proxy!.exchanges.length;
  await new Promise<void>((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const options = {
      host: '127.0.0.1',
      port: agent.proxy!.port,
      path: at,
      method: 'POST',
      headers,
      rejectUnauthorized: false,
    };
    request(options, (answer) => answer.resume().on('end', resolve))
      .on('error', reject)
      .end(JSON.stringify(body));
  });
  const kept = await eventually('the proxy has it', async () =>
    agent.proxy!.exchanges.slice(before).find((exchange) => exchange.path === at),
  );
  return { status: kept.status, sent: kept.request };
}

const startDaemon = (agent: Agent): Running =>
  agent.handset.start('run', '--attributes', path.join(agent.handset.folder, 'attributes.json'), '--reserve', '1024');
const tell = (agent: Agent): Promise<string> => agent.handset.text('event', 'network', '--data', '{"network":"wifi"}');

beforeAll(async () => {
  server = await startServer({ data: path.join(folder.path, 'data') });
  cli = await new Cli(server, path.join(folder.path, 'manager')).login();
  throttle = await throttlingProxy(server.handsetPort, () => bytesPerSecond);
  authority = proxyAuthority(folder.path);
});

afterAll(async () => {
  await Promise.all(agents.map(({ daemon }) => daemon?.stop('SIGKILL') ?? Promise.resolve()));
  await Promise.all(agents.map(({ proxy }) => proxy?.close() ?? Promise.resolve()));
  await throttle?.close();
  await removeServer(server);
  folder.remove();
});

describe('a campaign that handsets match', () => {
  it('is prepared by a manager: attribute schema, trigger rules, content, campaign', async () => {
    await cli.text('schema', 'publish', file('schema.json', JSON.stringify(SCHEMA)));
    await cli.text('rule', 'publish', file('rules.json', JSON.stringify(RULES)));
    const content = await cli.json<{ contentId: string; sha256: string }>(
      'content',
      'publish',
      file('wallet.bin', bytes),
      '--version',
      '2.4.0',
      '--selector',
      SELECTOR,
    );
    expect(content.sha256).toBe(sha256);
    contentId = content.contentId;
    const campaign = await cli.json<{ campaignId: string; status: string }>(
      'campaign',
      'draft',
      '--name',
      'Wallet 2.4',
      '--content',
      contentId,
    );
    expect(campaign.status).toBe('draft');
    campaignId = campaign.campaignId;
  });

  it('finds five handsets of different characteristics enrolled, each with the stored rules', async () => {
    for (const characteristic of characteristics) agents.push(await enrol(characteristic));
    for (const agent of agents) await standBetween(agent);
    for (const { handset } of agents) {
      const { rules } = JSON.parse(await handset.text('status')) as { rules: { ids: string[] } };
      expect(rules.ids).toContain('home-network');
    }
    beforeStart = new Date().toISOString();
  });

  it('starts by the clock once it is scheduled', async () => {
    await cli.text('campaign', 'schedule', campaignId);
    await eventually('the campaign runs', async () => {
      const { status } = await cli.json<{ status: string }>('campaign', 'show', campaignId);
      return status === 'running' || undefined;
    });
  });

  it('wakes only handsets whose stored rule is satisfied', async () => {
    for (const agent of agents) agent.daemon = startDaemon(agent);
    bytesPerSecond = MIB; // about six seconds a file: time to be killed in
    await Promise.all(agents.map(tell));
    await eventually('those that poll have polled', async () => (await progress()).funnel.polled === 3 || undefined);
    for (const agent of agents)
      expect(
        agent.proxy!.exchanges.some(({ path: at }) => at.endsWith('/timestamp.json')),
        agent.handset.name,
      ).toBe(agent.polls);
  });

  it('resumes a transfer where an agent was killed', async () => {
    const agent = named('fits-a');
    const partial = async () =>
      agent.proxy!.exchanges.length > 0 && partialBytes(agent) > 64 * 1024 && partialBytes(agent) < bytes.length
        ? true
        : undefined;
    await eventually('the transfer is under way', partial);
    await agent.daemon!.stop('SIGKILL');
    expect(holdsContent(agent)).toBe(false);
    const kept = partialBytes(agent);
    bytesPerSecond = 64 * MIB;
    agent.daemon = startDaemon(agent);
    await eventually('the file is whole', async () => holdsContent(agent) || undefined, 60_000);
    const resumed = agent.proxy!.exchanges.find(({ path: at, status }) => at.includes('/contents/') && status === 206);
    const from = /range[\r\n]+bytes=(\d+)-/i.exec(resumed?.request.toString('latin1') ?? '')?.[1];
    expect(Number(from)).toBeGreaterThan(0);
    expect(Number(from)).toBeLessThanOrEqual(kept + MIB);
  });

  it('gives exactly those that fit the file with its sha-256', async () => {
    await eventually(
      'both that fit hold it',
      async () => agents.filter(({ fits }) => fits).every(holdsContent) || undefined,
      60_000,
    );
    for (const agent of agents) {
      expect(holdsContent(agent), agent.handset.name).toBe(agent.fits);
      if (agent.fits)
        expect(
          createHash('sha256')
            .update(readFileSync(heldFile(agent)))
            .digest('hex'),
        ).toBe(sha256);
    }
  });

  it('shows the funnel as it happened, and empty as of before the start', async () => {
    const found = await eventually('all is reported', async () => {
      const now = await progress();
      return now.funnel.installed === 2 ? now : undefined;
    });
    expect(found.funnel).toMatchObject({ polled: 3, matched: 2, requested: 2, transferred: 2, installed: 2 });
    expect(JSON.stringify(found)).toContain('no-fit');
    const earlier = await progress(beforeStart);
    expect(earlier.funnel).toMatchObject({ polled: 0, matched: 0, requested: 0, transferred: 0, installed: 0 });
  });

  it('shows what happened to each handset, in its timeline', async () => {
    const events = (await timeline(named('fits-a'))).map(({ event }) => event);
    for (const event of [
      'HandsetEnrolled',
      'TriggerFired',
      'ContentRequested',
      'GrantIssued',
      'TransferStarted',
      'TransferResumed',
      'TransferCompleted',
      'InstallReported',
    ])
      expect(events).toContain(event);
    const declined = await timeline(named('other-model'));
    expect(declined.map(({ event }) => event)).toContain('ContentDeclined');
    for (const silent of ['roaming-a', 'roaming-b'])
      expect((await timeline(named(silent))).map(({ event }) => event)).toEqual(['HandsetEnrolled', 'RulesDelivered']);
    expect((await timeline(named('fits-a'), beforeStart)).map(({ event }) => event)).toEqual([
      'HandsetEnrolled',
      'RulesDelivered',
    ]);
  });

  it('lets no attribute value leave a handset: not on the wire, in the log, in an event or a table', async () => {
    const wire = agents.flatMap(({ proxy }) => proxy?.exchanges ?? []);
    expect(wire.length).toBeGreaterThan(20);
    expect(
      wire.flatMap(({ request: sent, response }) => findCanaries(Buffer.concat([sent, response]), canaries)),
    ).toEqual([]);
    expect(findCanaries(Buffer.from(server.process.output()), canaries)).toEqual([]);
    const { tables, rows, found } = await scanTables(server.data, canaries);
    expect(tables).toBeGreaterThan(20);
    expect(rows).toBeGreaterThan(50);
    expect(found).toEqual([]);
    if (!onKafka()) return;
    const topics = scanSegments(brokerFolder(server.data), canaries);
    expect(topics.bytes).toBeGreaterThan(10_000);
    expect(topics.found).toEqual([]);
  });

  it('would have found one that left: on the wire and in a table', async () => {
    const control = textCanary();
    const { status, sent } = await postAs(named('fits-b'), '/d/v1/declines', {
      snapshotVersion: 1,
      declines: [],
      model: control,
    });
    expect(status).toBe(400); // the route knows no such field, and nothing else of it is kept
    expect(findCanaries(sent, [control])).toEqual([control]);
    expect((await scanTables(server.data, [control])).found).toEqual([]);
    await cli.text('campaign', 'draft', '--name', control, '--content', contentId);
    expect((await scanTables(server.data, [control])).found.length).toBeGreaterThan(0);
    if (!onKafka()) return;
    await eventually('it is in a topic', async () => scanSegments(brokerFolder(server.data), [control]).found[0]);
  });

  it('proves that what is shown equals what the log says, and names the cell when it does not', async () => {
    const projections = await cli.json<{ name: string }[]>('projection', 'list');
    expect(projections.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['campaign_progress', 'device_timeline']),
    );
    for (const { name } of projections) expect(await cli.text('projection', 'verify', name), name).toMatch(/equal/);
    await asSuperuser(server.data, (client) =>
      client.query(
        `update proj.p_device_timeline_line_v1 set text = 'something else' where device_id = '${named('fits-a').deviceId}' and event = 'HandsetEnrolled'`,
      ),
    );
    const { code, output } = await cli.try('projection', 'verify', 'device_timeline');
    expect(code).not.toBe(0);
    expect(output).toContain('p_device_timeline_line_v1');
    expect(output).toMatch(/text.*something else/);
    await cli.text('projection', 'rebuild', 'device_timeline');
    expect(await cli.text('projection', 'verify', 'device_timeline')).toMatch(/equal/);
  });
});
