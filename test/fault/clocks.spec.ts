import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Agent, Agents } from '../support/agents.js';
import { FaultyInstallation, printTally } from '../support/faulty.js';
import { type Answer, type Enrolled, expectProblem, expectStatus } from '../support/installation.js';
import { canRun } from '../support/prerequisites.js';
import { eventually, run, type Running } from '../support/processes.js';
import { Handset } from '../support/server.js';

/*
 * F22: the server's clock goes an hour ahead, back, and an hour behind while a campaign runs; handsets are 400 days off
 * either way. Versions order what happened, never a clock; whoever was wrong goes on by itself once its clock is right.
 */

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const bytes = randomBytes(100_000);
const sha256 = createHash('sha256').update(bytes).digest('hex');
const HANDSET_CLI = path.resolve('dist/apps/handset/src/cli.js');

let muster: FaultyInstallation;
let agents: Agents;
let contentId = '';
let campaignId = '';
/** Handsets that took the content in a way that counts once. */
let installed = 0;
/** Devices that only ask. */
let asking = 0;
const daemons: Running[] = [];

interface Progress {
  funnel: Record<'polled' | 'requested' | 'transferred' | 'installed', number>;
  position: string;
}
const progress = (asOf?: string) =>
  muster.ok<Progress>(
    'GET',
    `/v1/campaigns/${campaignId}/progress${asOf === undefined ? '' : `?as_of=${encodeURIComponent(asOf)}`}`,
  );
const status = async () => (await muster.ok<{ status: string }>('GET', `/v1/campaigns/${campaignId}`)).status;
const login = async () => {
  const { tenant, email, password } = muster.server.administrator!;
  muster.admin = await muster.login(tenant, email, password);
};

beforeAll(async () => {
  // No back-off is longer than this, so that the handsets of this file are soon back.
  muster = await FaultyInstallation.start('clocks', { MUSTER_POLL_INTERVAL_SECONDS: '30' });
  contentId = await muster.publish(bytes);
  const start = new Date(Date.now() - 2 * HOUR_MS).toISOString(); // or it had not begun by a clock an hour behind
  campaignId = await muster.draft([contentId], { start });
  await muster.schedule(campaignId);
  await eventually('the campaign runs', async () => (await status()) === 'running' || undefined);
  agents = new Agents(muster, { contentId, sha256 });
});
afterAll(async () => {
  await Promise.all(daemons.map((daemon) => daemon.stop('SIGKILL')));
  await muster?.stop();
});

/** 401, with the hour at the server as a hint why. */
function expectTooLate(answer: Answer): void {
  expectProblem(answer, 401, 'auth.invalid');
  expect(Math.abs(Date.parse(answer.headers.date ?? '') - Date.now())).toBeLessThan(HOUR_MS);
}

describe('a server whose clock jumps', () => {
  const draft = (key: string) =>
    muster.people('POST', '/v1/campaigns', {
      body: { name: `drafted with ${key}`, contents: [contentId] },
      headers: { 'idempotency-key': key },
    });
  const change = async (what: string, body: object) =>
    muster.ok('POST', `/v1/campaigns/${campaignId}/${what}`, { body, headers: { 'if-match': '*' } });

  /** What must hold at each hour: a campaign is paused and resumed, a new handset takes the content once. */
  async function actAt(name: string): Promise<void> {
    await change('pause', { kind: 'soft', reason: name });
    expect(await status()).toBe('paused');
    await change('resume', {});
    expect(await status()).toBe('running');
    const { deviceId, handset } = await agents.enrol(name);
    const itsOwnHour = new Handset(handset.name, muster.folder.path);
    expect(await agents.recover({ deviceId, handset: itsOwnHour }), name).toMatchObject({ held: true, reports: 1 });
    installed += 1;
  }

  const grantFor = async (device: Enrolled) => {
    const body = { snapshotVersion: 1, requests: [{ contentId, campaignId }] };
    const answer = expectStatus(await muster.handset('POST', '/d/v1/requests', { device, body }), 200);
    return muster.secret((answer.body as { answers: { grant: string }[] }).answers[0]!.grant);
  };
  const fetchWith = (device: Enrolled, grant: string) =>
    muster.handset('GET', `/d/v1/contents/${contentId}`, { device, headers: { authorization: `Grant ${grant}` } });

  it('F22, by an hour: sessions, grants and keys stay sane', async () => {
    const device = await muster.enrol();
    asking += 1;
    const early = muster.admin;
    const kept: { key: string; answer: unknown; grant: string }[] = [];
    for (const [name, at] of [
      ['right', 0],
      ['ahead', HOUR_MS],
      ['back', 0],
      ['behind', -HOUR_MS],
    ] as const) {
      muster.turnClock(at);
      // Idle for longer than 15 minutes by this clock; what was opened ahead is good when the clock is back.
      if (name === 'ahead') expectTooLate(await muster.people('GET', '/v1/campaigns', { token: early }));
      if (name === 'ahead') await login();
      const key = randomUUID();
      kept.push({ key, answer: expectStatus(await draft(key), 201).body, grant: await grantFor(device) });
      await actAt(name);
    }
    muster.turnClock(0);
    const found = await Promise.all(kept.map(({ grant }) => fetchWith(device, grant)));
    expect(found.slice(0, 3).map((answer) => answer.status)).toEqual([200, 200, 200]);
    expectProblem(found[3]!, 401, 'grant.expired');
    for (const at of [HOUR_MS, -HOUR_MS, 0]) {
      muster.turnClock(at);
      await login();
      for (const { key, answer } of kept) expect((await draft(key)).body).toEqual(answer);
    }
    const drafts = await muster.sql<{ name: string }>(
      `select data ->> 'name' as name from log.record where type like '%campaign-drafted%'`,
    );
    const times = kept.map(({ key }) => drafts.filter(({ name }) => name.endsWith(key)).length);
    const [recovered, doubled] = [times.filter((n) => n > 0).length, times.filter((n) => n > 1).length];
    printTally('F22 server', { acknowledged: kept.length, recovered, doubled });
    expect(times).toEqual(kept.map(() => 1));
  });

  it('F22: versions alone order what happened, and no time of receipt falls', async () => {
    const order = await muster.sql<{ ver: string; occurred_at: Date }>(
      `select ver, occurred_at from log.record where topic = 'muster.campaign' and stream like $1 order by off`,
      [`%/${campaignId}`],
    );
    expect(order.map(({ ver }) => Number(ver))).toEqual(order.map((_, i) => i + 1));
    const falls = order.filter((row, i) => i > 0 && row.occurred_at < order[i - 1]!.occurred_at);
    expect(falls).toHaveLength(2); // from ahead to back, from back to behind: the jumps did happen
    const back = `select topic, part, off from (select topic, part, off,
      received_at < lag(received_at) over (partition by topic, part order by off) as falls from log.record) r where falls`;
    expect(await muster.sql(back)).toEqual([]);
  });
});

interface Case {
  name: string;
  /** As faketime takes it: also TLS sees that clock. Without it, the agent's alone. */
  faketime?: string;
  code: string;
}
const CASES: Case[] = [
  { name: 'ahead', faketime: '+400d', code: 'transport.certificate-time' },
  { name: 'behind', faketime: '-400d', code: 'transport.certificate-time' },
  { name: 'agent-ahead', code: 'tuf.expired' },
];

interface Status {
  due?: object;
  lastPoll?: { answer: string; code?: string };
  failures: number;
}

describe.skipIf(!canRun('faketime'))('a handset whose clock is 400 days off', () => {
  const clockOf = ({ handset }: Agent) => path.join(handset.folder, '..', `${handset.name}.clock`);

  /** A poll in the wrong year, by a process that ends, or by a daemon that goes on. */
  async function pollWrongly(agent: Agent, { faketime }: Case): Promise<void> {
    const { handset } = agent;
    if (faketime === undefined) {
      writeFileSync(clockOf(agent), String(400 * DAY_MS));
      daemons.push(new Handset(handset.name, muster.folder.path, { MUSTER_TEST_CLOCK: clockOf(agent) }).start(...RUN));
      return;
    }
    const env = { PATH: process.env.PATH, HOME: handset.folder, MUSTER_HANDSET_DATA: handset.folder };
    const args = ['-f', faketime, process.execPath, HANDSET_CLI, 'poll', '--reserve', '1024'];
    const { code } = await run('faketime', args, { env: { ...env, FAKETIME_DONT_FAKE_MONOTONIC: '1' } });
    expect(code).toBe(1);
  }
  const RUN = ['run', '--reserve', '1024'];

  it.concurrent.each(CASES)('F22, $name: says $code, installs nothing, and goes on when it is right', async (one) => {
    const agent = await agents.enrol(`clock-${one.name}`);
    const { handset, deviceId } = agent;
    const held = path.join(handset.folder, 'contents', contentId);
    const identity = readFileSync(path.join(handset.folder, 'identity.json'), 'utf8');
    await pollWrongly(agent, one);
    const wrong = await eventually('it has said why', async () => {
      const said = JSON.parse(await handset.text('status')) as Status;
      return said.lastPoll?.answer === 'failed' ? said : undefined;
    });
    expect(wrong).toMatchObject({ lastPoll: { code: one.code }, due: expect.anything() as object });
    expect(existsSync(held)).toBe(false);
    // The hour is set right: the daemon sees it, and one that is started then finds plans for another year.
    writeFileSync(clockOf(agent), '0');
    if (one.faketime !== undefined)
      daemons.push(new Handset(handset.name, muster.folder.path, { MUSTER_TEST_CLOCK: clockOf(agent) }).start(...RUN));
    const ofDevice = async (type: string) =>
      (
        await muster.ok<{ items: { data: object }[] }>(
          'GET',
          `/v1/events?topic=muster.device&subject=${deviceId}&type=${type}`,
        )
      ).items;
    const reports = await eventually(
      'it has installed and said so',
      async () => {
        const found = await ofDevice('InstallReported');
        return found.length > 0 ? found : undefined;
      },
      120_000,
    );
    installed += 1;
    expect(createHash('sha256').update(readFileSync(held)).digest('hex')).toBe(sha256);
    expect(reports).toHaveLength(1);
    expect(readFileSync(path.join(handset.folder, 'identity.json'), 'utf8')).toBe(identity);
    if (one.code.startsWith('tuf.'))
      expect((await ofDevice('CatalogueRefused')).map(({ data }) => data)).toEqual([{ code: one.code }]);
    printTally(`F22 ${one.name}`, {
      acknowledged: 1,
      recovered: 1,
      doubled: reports.length - 1,
      failures: wrong.failures,
    });
  });
});

describe('after all clocks are right', () => {
  it('the funnel counts each handset once, now and as of then, and all is sound', async () => {
    const funnel = { polled: installed, requested: installed + asking, transferred: installed, installed };
    const now = await eventually('the funnel is whole', async () => {
      const found = await progress(); // polls trail their answers by a flush
      return found.funnel.installed >= installed && found.funnel.polled >= installed ? found : undefined;
    });
    expect(now.funnel).toMatchObject(funnel);
    expect((await progress(now.position)).funnel).toEqual(now.funnel);
    await muster.expectSound();
  });
});
