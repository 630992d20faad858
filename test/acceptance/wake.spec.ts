import { createHmac, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Enrolled, expectProblem, expectStatus, Installation } from '../support/installation.js';
import { eventually, freePort, type Running } from '../support/processes.js';
import { Cli, Handset } from '../support/server.js';

/*
 * Devices that are not heard of are listed and woken. The gateway is the test's own HTTP server: it checks the signature and
 * knocks at the agent's local door, as whatever receives pushes on a handset would.
 */

interface Silent {
  items: { deviceId: string; lastSeenAt: string | null; eligibility: string }[];
  next: string | null;
}

const DAY = 86_400_000;
let muster: Installation;
let token = '';
let gateway: Server;
let gatewayUrl = '';
let status = 204;
const messages: { body: string; signature: string; headers: IncomingMessage['headers'] }[] = [];
let wakePort = 0;
let agent: Handset;
let agentId = '';
let running: Running | undefined;
let fits: Enrolled;
let campaignId = '';
let secret = '';
let rest = '';

const silent = (id: string, query = ''): Promise<Silent> =>
  muster.ok('GET', `/v1/campaigns/${id}/silent${query}`, { token });
const wake = (id: string, body: object = {}) => muster.people('POST', `/v1/campaigns/${id}/wake`, { token, body });
const target = (body: object) => muster.people('PUT', '/v1/channels/main/wake', { token, body });
const tell = async (device: Enrolled, attributes: object): Promise<void> =>
  void (await muster.handset('POST', '/d/v1/availability', { device, body: { attributes } }));
const facts = async (): Promise<{ name: string }[]> => {
  const all: { name: string }[] = [];
  for (const name of ['WakeSent', 'PollsRecorded']) {
    const url = `/v1/events?topic=muster.device&type=${name}&limit=200`;
    all.push(...(await muster.ok<{ items: { name: string }[] }>('GET', url, { token })).items);
  }
  return all;
};
const launch = async (settings: object): Promise<string> => {
  const contentId = await muster.publish(randomBytes(100), token);
  const id = await muster.draft([contentId], settings, token);
  await muster.schedule(id, token);
  return id;
};

beforeAll(async () => {
  muster = await Installation.start('wake', { MUSTER_PRIVATE_TARGETS: 'true' });
  // A token outlives the days that are skipped; a session would not.
  const roles = ['author', 'operator', 'admin', 'analyst'];
  const issued = await muster.ok<{ token: string }>('POST', '/v1/tokens', { body: { name: 'all', roles } });
  muster.admin = token = muster.secret(issued.token);
  gateway = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString('utf8')));
    request.on('end', () => {
      messages.push({ body, signature: String(request.headers['muster-signature']), headers: request.headers });
      response.writeHead(status, { location: 'http://127.0.0.1:1/elsewhere' }).end();
    });
  });
  await new Promise<void>((done) => gateway.listen(0, '127.0.0.1', done));
  const address = gateway.address();
  gatewayUrl = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/push`;
  const attributes = { model: { type: 'string' } };
  await muster.ok('PUT', '/v1/schema', { token, body: { version: 1, attributes } });
  const rules = [{ id: 'pushed', on: ['push'] }];
  await muster.ok('PUT', '/v1/rules/main', { token, body: { version: 2, rules } });
  agent = new Handset('agent', muster.folder.path, { MUSTER_TEST_CLOCK: muster.server.clockFile });
  const { code } = await muster.newCode(token);
  const server = `https://127.0.0.1:${muster.server.handsetPort}`;
  const said = await agent.text('enrol', server, '--ca', muster.caFingerprint, '--code', code);
  agentId = (JSON.parse(said) as { deviceId: string }).deviceId;
  await agent.text('poll');
  fits = await muster.enrol(token);
  const other = await muster.enrol(token);
  await muster.enrol(token); // never asks
  await tell(fits, { model: 'm1' });
  await tell(other, { model: 'm2' });
  campaignId = await launch({ mode: 'server', selector: 'device.model == "m1"' });
  await muster.settledEnd();
});
afterAll(async () => {
  gateway?.close();
  await running?.stop();
  await muster?.stop();
});

describe('devices that are not heard of', () => {
  it('are none while all have asked or enrolled within the days', async () =>
    expect(await silent(campaignId)).toEqual({ items: [], next: null }));

  it('are those that fit, by what they told, and those of which nothing is known', async () => {
    muster.turnClock(10 * DAY);
    const { items } = await silent(campaignId);
    expect(items.map(({ deviceId, eligibility }) => [deviceId === fits.deviceId, eligibility])).toEqual([
      [false, 'unknown'], // the agent compares by itself
      [true, 'eligible'],
      [false, 'unknown'],
    ]);
    expect(items.map(({ lastSeenAt }) => lastSeenAt === null)).toEqual([false, false, true]);
    expect((await silent(campaignId, '?days=11')).items).toEqual([]);
  });

  it('are all but the held out where the devices compare, and it is not knowable whom it fits', async () => {
    const all = await silent(await launch({ mode: 'device' }));
    expect(all.items.map(({ eligibility }) => eligibility)).toEqual(Array(4).fill('not-knowable'));
    expect((await silent(await launch({ mode: 'device', holdOut: 10_000 }))).items).toEqual([]);
  });

  it('come in pages', async () => {
    const first = await silent(campaignId, '?limit=2');
    const second = await silent(campaignId, `?limit=2&cursor=${first.next}`);
    expect([first.items.length, second.items.length, second.next]).toEqual([2, 1, null]);
    const astray = await muster.people('GET', `/v1/campaigns/${campaignId}/silent?days=9&cursor=${first.next}`, {
      token,
    });
    expectProblem(astray, 400, 'cursor.malformed', '/cursor');
  });

  it.each(['0', '366', 'x'])('are not asked for by %s days', async (days) => {
    const url = `/v1/campaigns/${campaignId}/silent?days=${days}`;
    expectProblem(await muster.people('GET', url, { token }), 400, 'validation.failed', '/days');
  });
});

describe('a wake', () => {
  it('goes nowhere until somebody has said where to', async () => {
    expectProblem(await wake(campaignId), 404, 'wake.unknown');
    expectProblem(await muster.people('GET', '/v1/channels/main/wake', { token }), 404, 'wake.unknown');
  });

  it.each([
    ['http://192.0.1.1/', '/url'],
    ['https://169.254.169.254/', '/url'],
    ['http://[::ffff:169.254.169.254]/', '/url'],
    ['http://0xa9fea9fe/', '/url'],
    ['nowhere', '/url'],
  ])('does not go to %s', async (url, pointer) => {
    const end = await muster.settledEnd();
    expectProblem(await target({ url }), 422, 'wake.url', pointer);
    await muster.expectNothingSince(end);
  });

  it('goes where an administrator said, which is on the record, without the key', async () => {
    const set = expectStatus(await target({ url: gatewayUrl, perMinute: 2 }), 200).body as {
      secret: string;
      url: string;
    };
    secret = muster.secret(set.secret);
    expect(await muster.ok('GET', '/v1/channels/main/wake', { token })).toEqual({
      channel: 'main',
      url: gatewayUrl,
      perMinute: 2,
    });
    const { items } = await muster.ok<{ items: { data: { operation: string } }[] }>(
      'GET',
      '/v1/events?topic=muster.audit&subject=channel',
      { token },
    );
    expect(items.map(({ data }) => data.operation)).toContain('wake.set');
  });

  it('says poll now, signed, to no more devices than the rate allows', async () => {
    const next = expect.any(String) as string;
    const first = (await wake(campaignId)).body as { next: string };
    expect(first).toEqual({ sent: 2, failed: 0, isPartial: true, next });
    rest = first.next;
    expect((await wake(campaignId)).body).toEqual({ sent: 0, failed: 0, isPartial: true, next });
    expect((await wake(campaignId, { cursor: rest })).body).toEqual({ ...first, sent: 0 });
    expect(messages.map(({ body }) => JSON.parse(body) as object)).toEqual([
      { message: 'poll now', deviceId: agentId },
      { message: 'poll now', deviceId: fits.deviceId },
    ]);
    for (const { body, signature } of messages) {
      const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(signature)!;
      expect(v1).toBe(createHmac('sha256', secret).update(`${t}.${body}`).digest('hex'));
    }
    const sent = (await facts()).filter(({ name }) => name === 'WakeSent');
    expect(sent).toHaveLength(2);
  });

  it('goes on behind the devices that were woken before, and comes to an end', async () => {
    muster.turnClock(10 * DAY + 60_000);
    const seen = messages.length;
    expect((await wake(campaignId, { cursor: rest })).body).toEqual({
      sent: 1,
      failed: 0,
      isPartial: false,
      next: null,
    });
    expect(messages.slice(seen).map(({ body }) => (JSON.parse(body) as { deviceId: string }).deviceId)).toEqual([
      (await silent(campaignId)).items[2]!.deviceId,
    ]);
    expectProblem(await wake(campaignId, { cursor: null }), 400, 'validation.failed', '/cursor');
    expectProblem(await wake(campaignId, { cursor: rest, days: 8 }), 400, 'cursor.malformed', '/cursor');
  });

  it('that is not taken is not recorded, and redirects are not followed', async () => {
    status = 307;
    await target({ url: gatewayUrl, perMinute: 100 });
    muster.turnClock(10 * DAY + 3_600_000);
    const seen = messages.length;
    expect((await wake(campaignId)).body).toEqual({ sent: 0, failed: 3, isPartial: false, next: null });
    expect(messages.length).toBe(seen + 3);
    status = 204;
    expect((await facts()).filter(({ name }) => name === 'WakeSent')).toHaveLength(3);
  });

  it('makes the agent poll, through its local door', async () => {
    wakePort = await freePort();
    running = agent.start('run', '--wake-port', String(wakePort));
    await eventually('the door is open', () =>
      fetch(`http://127.0.0.1:${wakePort}/`).then(
        () => true,
        () => undefined,
      ),
    );
    const polls = async () => (await facts()).filter(({ name }) => name === 'PollsRecorded').length;
    await muster.settledEnd();
    const before = await polls();
    expect((await fetch(`http://127.0.0.1:${wakePort}/wake`, { method: 'POST', body: messages[0]!.body })).status).toBe(
      204,
    );
    await eventually('it has polled', async () => ((await polls()) > before ? true : undefined), 60_000);
    await running.stop();
    await eventually('it is silent no more', async () => {
      const { items } = await silent(campaignId);
      return items.some(({ deviceId }) => deviceId === agentId) ? undefined : true;
    });
  });

  it('is there for the command line', async () => {
    const file = path.join(muster.folder.path, 'token');
    writeFileSync(file, token, { mode: 0o600 });
    const manager = new Cli(muster.server, path.join(muster.folder.path, 'manager'));
    const cli = { text: (...args: string[]) => manager.text(...args, '--token-file', file) };
    expect(await cli.text('campaign', 'silent', campaignId)).toContain(fits.deviceId);
    expect(await cli.text('campaign', 'wake', campaignId)).toContain('woken');
    expect(await cli.text('channel', 'wake', 'main')).toContain(gatewayUrl);
  });

  it('is for campaigns that run', async () => {
    const contentId = await muster.publish(randomBytes(100), token);
    const id = await muster.draft([contentId], { mode: 'server' }, token);
    expectProblem(await wake(id), 409, 'campaign.not-running');
    expectProblem(await wake(campaignId, { limit: 0 }), 400, 'validation.failed', '/limit');
  });

  it('goes nowhere any more when its target is taken away', async () => {
    expect((await muster.people('DELETE', '/v1/channels/main/wake', { token })).status).toBe(204);
    expect((await muster.people('DELETE', '/v1/channels/main/wake', { token })).status).toBe(204);
    expectProblem(await wake(campaignId), 404, 'wake.unknown');
  });

  it('leaves nothing secret in the output', () => expect(muster.printedSecrets()).toEqual([]));
});
