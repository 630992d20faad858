import { createHmac, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, expectProblem, expectStatus, Installation } from '../support/installation.js';
import { eventually } from '../support/processes.js';
import { Cli, startServer } from '../support/server.js';

/*
 * Other systems are told when a campaign halts, completes or needs approval. They are the test's own HTTP servers on this
 * machine, which the installation allows here by its setting.
 */

interface Message {
  id: string;
  type: string;
  campaignId?: string;
  name?: string;
  reason?: string;
}
interface Webhook {
  webhookId: string;
  secret: string;
  url: string;
  kinds: string[];
  lastDeliveredAt: string | null;
  lastFailure: string | null;
  waiting: number;
  givenUp: number;
  deliveries: { deliveryId: string; noticeId: string; state: string; attempts: number; failure: string | null }[];
}

const ALLOWED = { MUSTER_PRIVATE_TARGETS: 'true' };
const DAY = 86_400_000;

/** A system that is told: it answers as the test says, or not at all. */
class Receiver {
  readonly messages: { message: Message; body: string; url?: string; headers: IncomingMessage['headers'] }[] = [];
  /** Statuses of the next answers; when they are used up, 204. */
  readonly next: number[] = [];
  /** Of all others. */
  status = 204;
  isSilent = false;
  url = '';
  webhookId = '';
  secret = '';

  private constructor(private readonly server: Server) {}

  static async open(): Promise<Receiver> {
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (part: Buffer) => (body += part.toString('utf8')));
      request.on('end', () => {
        const { url, headers } = request;
        it.messages.push({ message: JSON.parse(body) as Message, body, url, headers });
        if (!it.isSilent) response.writeHead(it.next.shift() ?? it.status, { location: '/elsewhere' }).end();
      });
    });
    const it = new Receiver(server);
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    it.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/muster`;
    return it;
  }

  /** Has it told. */
  async add(body: object = {}): Promise<this> {
    const added = await muster.ok<Webhook>('POST', '/v1/webhooks', { token, body: { url: this.url, ...body } });
    this.webhookId = added.webhookId;
    this.secret = muster.secret(added.secret);
    return this;
  }

  /** What came of a campaign. */
  of(campaignId: string): Message[] {
    return this.messages.map(({ message }) => message).filter((message) => message.campaignId === campaignId);
  }

  typesOf(campaignId: string): string[] {
    return this.of(campaignId).map(({ type }) => type);
  }

  /** Waits until so many messages of the campaign have come. */
  has(count: number, campaignId: string, milliseconds = 60_000): Promise<Message[]> {
    const come = async () => (this.of(campaignId).length >= count ? this.of(campaignId) : undefined);
    return eventually(`${count} messages have come`, come, milliseconds);
  }

  shown(): Promise<Webhook> {
    return muster.ok('GET', `/v1/webhooks/${this.webhookId}`, { token });
  }

  /** Waits until the server says so of it. */
  async fares(wanted: Partial<Webhook>): Promise<Webhook> {
    return eventually(`it fares so: ${JSON.stringify(wanted)}`, async () => {
      const shown = await this.shown();
      const isSo = Object.entries(wanted).every(([name, value]) => shown[name as keyof Webhook] === value);
      return isSo ? shown : undefined;
    });
  }

  async remove(): Promise<void> {
    await muster.ok('DELETE', `/v1/webhooks/${this.webhookId}`, { token });
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

let muster: Installation;
let token = '';
let contentId = '';
let first: Receiver;
let second: Receiver;
const receivers: Receiver[] = [];
let skipped = 0;

const receiver = async (): Promise<Receiver> => {
  const opened = await Receiver.open();
  receivers.push(opened);
  return opened;
};
const add = (body: object): Promise<Answer> => muster.people('POST', '/v1/webhooks', { token, body });
const act = (campaignId: string, verb: string, body: object = {}): Promise<object> =>
  muster.ok('POST', `/v1/campaigns/${campaignId}/${verb}`, { token, body, headers: { 'if-match': '*' } });
const draft = (settings: object = {}): Promise<string> =>
  muster.draft([contentId], { mode: 'server', ...settings }, token);
const launch = async (settings: object = {}): Promise<string> => {
  const campaignId = await draft(settings);
  await muster.schedule(campaignId, token);
  return campaignId;
};
/** Forward only. */
const skip = (milliseconds: number): void => {
  skipped += milliseconds;
  muster.turnClock(skipped);
};
const restart = async (env: Record<string, string>): Promise<void> => {
  const { administrator, data } = muster.server;
  await muster.server.process.stop('SIGKILL');
  muster.server = { ...(await startServer({ data, env })), administrator };
};

beforeAll(async () => {
  muster = await Installation.start('webhooks', ALLOWED);
  // A token outlives the day that is skipped; a session would not.
  const roles = ['author', 'operator', 'admin', 'analyst'];
  const issued = await muster.ok<{ token: string }>('POST', '/v1/tokens', { body: { name: 'all', roles } });
  muster.admin = token = muster.secret(issued.token);
  contentId = await muster.publish(randomBytes(100), token);
  await act(await draft({ name: 'long ago' }), 'submit');
  first = await receiver();
  second = await receiver();
});
afterAll(async () => {
  for (const each of receivers) each.close();
  await muster?.stop();
});

describe('a webhook', () => {
  it.each([
    ['http://8.8.8.8/', '/url'],
    ['https://user:word@hooks.example/', '/url'],
    ['https://169.254.169.254/latest', '/url'],
    ['https://[64:ff9b::a9fe:a9fe]/', '/url'],
    ['nowhere', '/url'],
  ])('does not go to %s', async (url, pointer) => {
    const end = await muster.settledEnd();
    expectProblem(await add({ url }), 422, 'webhook.url', pointer);
    await muster.expectNothingSince(end);
  });

  it.each([
    [{ url: 'https://hooks.example/', kinds: [] }, '/kinds'],
    [{ url: 'https://hooks.example/', kinds: ['halted', 'halted'] }, '/kinds'],
    [{ url: 'https://hooks.example/', kinds: ['rain'] }, '/kinds'],
    [{ url: 'https://hooks.example/', enabled: 'no' }, '/enabled'],
    [{ url: `https://hooks.example/${'x'.repeat(2_000)}` }, '/url'],
    [{ url: 7 }, '/url'],
    [{ url: 'https://hooks.example/', secret: 'mine' }, '/secret'],
  ])('is refused: %o', async (body, pointer) => {
    expectProblem(await add(body), 400, 'validation.failed', pointer);
  });

  it('is added by an administrator, which is on the record, and shows its key once', async () => {
    await first.add();
    const { secret, ...shown } = await first.shown();
    expect(secret).toBeUndefined();
    expect(shown).toMatchObject({ url: first.url, enabled: true, waiting: 0, givenUp: 0, lastDeliveredAt: null });
    const url = '/v1/events?topic=muster.audit&subject=webhook';
    const { items } = await muster.ok<{ items: { data: { operation: string } }[] }>('GET', url, { token });
    expect(items.map(({ data }) => data.operation)).toEqual(['webhook.add']);
    expect(JSON.stringify(items)).not.toContain('/muster'); // a path may be a secret of the other system's
  });

  it('is tried by a message that says nothing', async () => {
    const tested = await muster.ok('POST', `/v1/webhooks/${first.webhookId}/test`, { token });
    expect(tested).toEqual({ isTaken: true, failure: null });
    const [ping] = first.messages;
    const text = expect.any(String) as string;
    expect(ping!.message).toEqual({ id: text, type: 'ping', tenant: 'main', at: text });
    first.next.push(403);
    expect(await muster.ok('POST', `/v1/webhooks/${first.webhookId}/test`, { token })).toEqual({
      isTaken: false,
      failure: 'status 403',
    });
  });
});

describe('a notice', () => {
  it('comes when a campaign needs approval, is paused, completes and is aborted; not of what was before', async () => {
    await second.add({ kinds: ['completed'] });
    const reviewed = await draft({ name: 'for review' });
    await act(reviewed, 'submit');
    const campaignId = await launch({ name: 'the radio' });
    await act(campaignId, 'pause', { reason: 'lines are full' });
    await act(campaignId, 'resume');
    await act(campaignId, 'complete', { reason: 'all have it' });
    const other = await launch();
    await act(other, 'abort', { disposition: 'keep', reason: 'wrong file' });
    expect(await first.has(1, reviewed)).toMatchObject([{ type: 'campaign.approval-needed', name: 'for review' }]);
    expect(await first.has(2, campaignId)).toMatchObject([
      { type: 'campaign.paused', name: 'the radio', reason: 'lines are full' },
      { type: 'campaign.completed', reason: 'all have it' },
    ]);
    expect(await first.has(1, other)).toMatchObject([{ type: 'campaign.aborted', reason: 'wrong file' }]);
    expect((await second.has(1, campaignId)).map(({ type }) => type)).toEqual(['campaign.completed']);
    expect(second.messages).toHaveLength(1);
    expect(first.messages.map(({ message }) => message.name)).not.toContain('long ago');
  });

  it('comes when a stop rule halts a campaign', async () => {
    const campaignId = await launch({ stopRules: [{ on: 'failed', share: 0, minimum: 1 }] });
    const device = await muster.enrol(token);
    await muster.handset('POST', '/d/v1/availability', { device, body: { attributes: {} } });
    const fact = {
      type: 'InstallReported',
      seq: { epoch: device.epoch, n: 1 },
      occurredAt: new Date().toISOString(),
      data: { contentId, campaignId, outcome: 'failed', code: 'x' },
    };
    expectStatus(await muster.handset('POST', '/d/v1/facts', { device, body: { facts: [fact] } }), 200);
    const [halted] = await first.has(1, campaignId);
    expect(halted).toMatchObject({ type: 'campaign.halted', reason: 'stop rule failed: 1 of 1 devices' });
  });

  it('is signed, names the event, and says nothing of who did it or of devices', async () => {
    const { items } = await muster.ok<{ items: { id: string; name: string }[] }>(
      'GET',
      '/v1/events?topic=muster.campaign&type=CampaignHalted',
      { token },
    );
    const halted = first.messages.find(({ message }) => message.type === 'campaign.halted')!;
    expect(halted.message.id).toBe(items[0]!.id);
    for (const { body, headers } of first.messages) {
      const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['muster-signature']))!;
      expect(v1).toBe(createHmac('sha256', first.secret).update(`${t}.${body}`).digest('hex'));
      expect(headers['muster-delivery']).toMatch(/^[0-9a-f-]{36}$/);
      expect(headers['content-type']).toBe('application/json');
      expect(body).not.toMatch(/person:|token:|deviceId/);
    }
  });
});

describe('a system that does not take it', () => {
  it('is told again: twice 500, then it has it, by one id', async () => {
    const campaignId = await launch();
    first.next.push(500, 500);
    await act(campaignId, 'pause', { reason: 'r' });
    await first.has(3, campaignId);
    const tries = first.messages.filter(({ message }) => message.campaignId === campaignId);
    expect(new Set(tries.map(({ message }) => message.id)).size).toBe(1);
    expect(new Set(tries.map(({ headers }) => headers['muster-delivery'])).size).toBe(1);
    const { deliveries } = await first.fares({ waiting: 0, lastFailure: 'status 500' });
    expect(deliveries[0]).toMatchObject({ state: 'delivered', attempts: 3, noticeId: tries[0]!.message.id });
  });

  it('or is not there, or is turned off, or sends it elsewhere, holds up no other', async () => {
    const silent = await (await receiver()).add();
    silent.isSilent = true;
    const elsewhere = await (await receiver()).add();
    elsewhere.status = 307;
    const off = await (await receiver()).add({ enabled: false });
    const gone = await (await receiver()).add();
    gone.close();
    const campaigns = [await launch(), await launch(), await launch()];
    for (const campaignId of campaigns) await act(campaignId, 'pause', { reason: 'r' });
    // All three come before the silent one's first five seconds can have passed for each of them.
    for (const campaignId of campaigns) await first.has(1, campaignId);
    await silent.fares({ lastFailure: 'no answer within 5 s', waiting: 3 });
    await gone.fares({ lastFailure: 'ECONNREFUSED', waiting: 3 });
    await elsewhere.fares({ lastFailure: 'status 307', waiting: 3 });
    expect(new Set(elsewhere.messages.map(({ url }) => url))).toEqual(new Set(['/muster']));
    await off.fares({ waiting: 0 });
    expect(off.messages).toEqual([]);
    silent.isSilent = false;
    skip(60_000);
    await silent.fares({ waiting: 0 });
    for (const each of [silent, elsewhere, off, gone]) await each.remove();
  });

  it('is told nothing any more once it is removed, not even what waits', async () => {
    const removed = await (await receiver()).add();
    removed.status = 503;
    const campaignId = await launch();
    await act(campaignId, 'pause', { reason: 'r' });
    await removed.fares({ waiting: 1, lastFailure: 'status 503' });
    await removed.remove();
    const before = removed.messages.length;
    removed.status = 204;
    await act(campaignId, 'abort', { disposition: 'keep', reason: 'r' });
    skip(60_000);
    await first.has(2, campaignId);
    await muster.settledEnd();
    expect(removed.messages.length).toBe(before);
    expectProblem(await muster.people('GET', `/v1/webhooks/${removed.webhookId}`, { token }), 404, 'webhook.unknown');
    expectProblem(
      await muster.people('DELETE', `/v1/webhooks/${removed.webhookId}`, { token }),
      404,
      'webhook.unknown',
    );
  });

  it('is given up after a day, which can be seen', async () => {
    const dead = await (await receiver()).add();
    dead.status = 500;
    const campaignId = await launch();
    await act(campaignId, 'pause', { reason: 'r' });
    await dead.fares({ waiting: 1, lastFailure: 'status 500' });
    skip(DAY);
    const { deliveries } = await dead.fares({ waiting: 0, givenUp: 1 });
    expect(deliveries).toMatchObject([{ state: 'given-up', failure: 'status 500' }]);
    await dead.remove();
  });
});

describe('a server that is killed', () => {
  let campaignId = '';
  const happened = async (name: string): Promise<string[]> => {
    const url = `/v1/events?topic=muster.campaign&subject=${campaignId}&type=${name}`;
    return (await muster.ok<{ items: { id: string }[] }>('GET', url, { token })).items.map(({ id }) => id);
  };

  it('with a message under way tells it again after its restart, though nothing else happens', async () => {
    first.isSilent = true;
    campaignId = await launch();
    await act(campaignId, 'pause', { reason: 'lines are full' });
    await first.has(1, campaignId); // come, and not answered
    await muster.settledEnd();
    await restart(ALLOWED);
    first.isSilent = false;
    const already = first.of(campaignId).length;
    skip(60_000); // the attempt of the one that was killed may be made by another
    await first.has(already + 1, campaignId);
    const { deliveries } = await first.fares({ waiting: 0 });
    const [id] = await happened('CampaignPaused');
    expect(new Set(first.of(campaignId).map((message) => message.id))).toEqual(new Set([id]));
    expect(deliveries.find(({ noticeId }) => noticeId === id)).toMatchObject({ state: 'delivered' });
  });

  it('as soon as it has answered for the event has it told after its restart', async () => {
    first.isSilent = true;
    await act(campaignId, 'abort', { disposition: 'keep', reason: 'wrong file' });
    await restart(ALLOWED);
    first.isSilent = false;
    skip(60_000);
    const [id] = await happened('CampaignAborted');
    await eventually('it was told', async () => first.of(campaignId).find((message) => message.id === id));
    await first.fares({ waiting: 0 });
  });

  it('tells nothing twice that was taken, and goes on', async () => {
    const before = first.messages.length;
    await restart(ALLOWED);
    const next = await launch();
    await act(next, 'pause', { reason: 'r' });
    await first.has(1, next);
    expect(first.messages.slice(before).map(({ message }) => message.campaignId)).toEqual([next]);
  });
});

describe('a webhook that is there', () => {
  it('can be changed, and get a new key', async () => {
    const url = `/v1/webhooks/${second.webhookId}`;
    const body = { url: second.url, kinds: ['aborted'], enabled: true };
    expect(await muster.ok('PUT', url, { token, body })).toMatchObject({ kinds: ['aborted'] });
    const { secret } = await muster.ok<{ secret: string }>('POST', `${url}/secret`, { token });
    expect(muster.secret(secret)).not.toBe(second.secret);
    const campaignId = await launch();
    await act(campaignId, 'complete', { reason: 'r' });
    const other = await launch();
    await act(other, 'abort', { disposition: 'keep', reason: 'r' });
    await second.has(1, other);
    expect(second.typesOf(campaignId)).toEqual([]);
    const { body: text, headers } = second.messages.at(-1)!;
    const [, t, v1] = /^t=(\d+),v1=(.*)$/.exec(String(headers['muster-signature']))!;
    expect(v1).toBe(createHmac('sha256', secret).update(`${t}.${text}`).digest('hex'));
    expectProblem(await muster.people('PUT', url, { token, body: { url: 'nowhere' } }), 422, 'webhook.url', '/url');
  });

  it('is one of ten at most', async () => {
    const added: string[] = [];
    const fill = async (): Promise<Answer> => {
      for (;;) {
        const answer = await add({ url: 'https://hooks.example/', enabled: false });
        if (answer.status !== 201) return answer;
        const { webhookId, secret } = answer.body as Webhook;
        muster.secret(secret);
        added.push(webhookId);
      }
    };
    expectProblem(await fill(), 409, 'webhook.too-many');
    expect(added).toHaveLength(8);
    for (const id of added) await muster.ok('DELETE', `/v1/webhooks/${id}`, { token });
  });

  it('is there for the command line', async () => {
    const file = path.join(muster.folder.path, 'token');
    writeFileSync(file, token, { mode: 0o600 });
    const manager = new Cli(muster.server, path.join(muster.folder.path, 'manager'));
    const cli = (...args: string[]) => manager.text('webhook', ...args, '--token-file', file);
    const third = await receiver();
    const added = JSON.parse(await cli('add', third.url, '--kinds', 'halted, paused', '--json')) as Webhook;
    muster.secret(added.secret);
    expect(added.kinds).toEqual(['halted', 'paused']);
    expect(await cli('list')).toContain(third.url);
    expect(await cli('test', added.webhookId)).toContain('It was taken.');
    expect(third.messages.map(({ message }) => message.type)).toEqual(['ping']);
    const campaignId = await launch();
    await act(campaignId, 'pause', { reason: 'r' });
    await third.has(1, campaignId);
    expect(await cli('show', added.webhookId)).toContain('campaign.paused');
    expect(await cli('change', added.webhookId, '--disable')).toContain('off');
    const changed = JSON.parse(await cli('change', added.webhookId, '--new-secret', '--json')) as Webhook;
    expect(muster.secret(changed.secret)).not.toBe(added.secret);
    await cli('remove', added.webhookId);
    expect(await cli('list')).not.toContain(third.url);
  });
});

describe('without the setting', () => {
  it('nothing goes to this machine, also not where it went before', async () => {
    await restart({});
    expectProblem(await add({ url: first.url }), 422, 'webhook.url', '/url');
    expectProblem(await add({ url: 'https://10.0.0.1/' }), 422, 'webhook.url', '/url');
    const wake = await muster.people('PUT', '/v1/channels/main/wake', { token, body: { url: 'http://127.0.0.1/' } });
    expectProblem(wake, 422, 'wake.url', '/url');
    const before = first.messages.length;
    const failure = expect.stringContaining('MUSTER_PRIVATE_TARGETS') as string;
    expect(await muster.ok('POST', `/v1/webhooks/${first.webhookId}/test`, { token })).toEqual({
      isTaken: false,
      failure,
    });
    await act(await launch(), 'pause', { reason: 'r' });
    await first.fares({ waiting: 1 });
    await eventually('it was tried', async () =>
      (await first.shown()).deliveries[0]!.failure === null ? undefined : true,
    );
    expect((await first.shown()).deliveries[0]!.failure).toContain('MUSTER_PRIVATE_TARGETS');
    expect(first.messages.length).toBe(before);
  });

  it('leaves nothing secret in the output', () => expect(muster.printedSecrets()).toEqual([]));
});
