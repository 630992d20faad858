import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Module } from '@nestjs/common';
import supertest from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { campaignMigrations, CampaignModule, campaignProjections } from '#campaign/nest/campaign.module.js';
import { campaignDefinitions } from '#campaign/events.js';
import type { EnrolAnswer } from '#device-protocol/index.js';
import { eventCatalog, type EventRecord, ProjectionRunner, type Topic } from '#event-log/index.js';
import { Databases, EventLogModule, eventLogMigrations, TailLog } from '#event-log/nest/event-log.module.js';
import { deviceDefinitions } from '#handset/events.js';
import { auditDefinitions, handsetDefinitions } from '#identity/events.js';
import { Bootstrap, CertificateAuthority, IdentityModule, identityMigrations } from '#identity/nest/identity.module.js';
import { testKey } from '#identity/testing.js';
import { type Log, type LogFields, silentLog } from '#runtime/index.js';
import { createServer, type MusterServer, RuntimeModule } from '#runtime/nest/runtime.module.js';
import { type TestDatabase, testDatabase } from '../support/database.js';

/* hawkBit's device API as its clients see it: statuses, bodies and links; and what it does to the record. */

const PASSWORD = 'correct horse battery';
const HOUR = 3_600_000;
const complaints: string[] = [];
const complain = (event: string, fields?: LogFields) =>
  // The runner alone, without the application's migrations: nobody notes who works.
  void (event === 'projection.worker-unseen' || complaints.push(`${event} ${String(fields?.err)}`));
const log: Log = { ...silentLog, warn: complain, error: complain };
const clock = { offset: 0, now: () => Date.now() + clock.offset };

let database: TestDatabase;
let server: MusterServer;
let runner: ProjectionRunner;
let folder: string;
let people: string;
let port: number;
let ca: string;
let admin: string;
let n = 0;

beforeAll(async () => {
  database = await testDatabase([...eventLogMigrations, ...identityMigrations, ...campaignMigrations]);
  folder = mkdtempSync(path.join(tmpdir(), 'muster-ddi-'));
  const urls = {
    actor: database.url('muster_campaign'),
    tail: database.url('muster_tail'),
    projector: database.url('muster_projector'),
    insight: database.url('muster_insight'),
  };
  const catalog = eventCatalog([handsetDefinitions, auditDefinitions, deviceDefinitions, ...campaignDefinitions]);
  @Module({
    imports: [
      RuntimeModule.forRoot({ clock, log }),
      EventLogModule.forRoot({ urls, kekFile: path.join(folder, 'kek'), catalog }),
      IdentityModule.forRoot(),
      CampaignModule.forRoot({ dataDir: folder, pollIntervalSeconds: 600, showOnce: () => undefined }),
    ],
  })
  class App {}
  server = await createServer(App, { log });
  const authority = server.app.get(CertificateAuthority);
  const tls = await authority.serverTls(['localhost', '127.0.0.1']);
  const at = { host: '127.0.0.1', port: 0 };
  const ports = await server.listen({ people: at, handset: { ...at, tls } });
  people = `http://127.0.0.1:${ports.people}`;
  port = ports.handset!;
  ca = await authority.serverCa();
  const by = { tenant: 'acme', email: 'root@acme.test', password: PASSWORD };
  await server.app.get(Bootstrap).bootstrapAdministrator(by);
  const session = await supertest(people).post('/v1/sessions').send(by).expect(201);
  admin = (session.body as { token: string }).token;
  // A session idles out with the hours that the clock is turned by; a token does not.
  const roles = ['author', 'operator', 'admin', 'viewer'];
  admin = (await made<{ token: string }>('/v1/tokens', { name: 'test', roles })).token;
  const { projector } = server.app.get(Databases);
  const source = server.app.get(TailLog);
  runner = new ProjectionRunner({ database: projector, source, projections: campaignProjections, log });
  await runner.start();
  await until(async () => (await records('muster.campaign')).some(({ type }) => type === 'CataloguePublished'), 90);
  const attributes = { model: { type: 'string' }, free: { type: 'int' }, home: { type: 'bool' } };
  await put('/v1/schema', { version: 1, attributes });
});
afterAll(async () => {
  await runner.stop();
  await server.close();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

const post = (url: string, body: object = {}, headers: Record<string, string> = {}) =>
  supertest(people).post(url).auth(admin, { type: 'bearer' }).set(headers).send(body);
const put = (url: string, body: object) =>
  supertest(people).put(url).auth(admin, { type: 'bearer' }).send(body).expect(200);
async function made<T>(url: string, body: object = {}): Promise<T> {
  const answer = await post(url, body, { 'if-match': '*' });
  expect([200, 201], JSON.stringify(answer.body)).toContain(answer.status);
  return answer.body as T;
}

async function until<T>(look: () => Promise<T | undefined | false>, seconds = 20): Promise<T> {
  const deadline = Date.now() + seconds * 1_000;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s; complaints: ${complaints.join('; ')}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function records(topic: Topic): Promise<EventRecord[]> {
  const tail = server.app.get(TailLog);
  const parts = Array.from({ length: 12 }, (_, partition) => tail.read(topic, partition, 0, 100_000));
  return (await Promise.all(parts)).flat();
}

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  bytes: Buffer;
  json: unknown;
}
interface Asking {
  authorization?: string;
  certificate?: { cert: string; key: string };
  body?: unknown;
  headers?: Record<string, string>;
}

function ask(method: string, url: string, { authorization, certificate, body, headers }: Asking = {}): Promise<Answer> {
  const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
  const type =
    text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
  const agent = new Agent({ maxCachedSessions: 0 });
  const auth = authorization === undefined ? {} : { authorization };
  const options = { host: '127.0.0.1', port, path: url, method, ca, agent, ...certificate };
  return new Promise((resolve, reject) => {
    const request = httpsRequest({ ...options, headers: { ...auth, ...type, ...headers } }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => {
        agent.destroy();
        const bytes = Buffer.concat(parts);
        const isJson = /json/.test(response.headers['content-type'] ?? '') && bytes.length > 0;
        const json: unknown = isJson ? JSON.parse(bytes.toString('utf8')) : undefined;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes, json });
      });
    });
    request.on('error', reject);
    request.end(text);
  });
}

interface Base {
  config: { polling: { sleep: string } };
  _links?: Record<string, { href: string }>;
}

/** A hawkBit client that a manager made known. */
class Client {
  constructor(
    readonly id: string,
    readonly deviceId: string,
    readonly authorization: string,
  ) {}

  static async make(): Promise<Client> {
    const controllerId = `c-${(n += 1)}`;
    const { id, targetToken } = await made<{ id: string; targetToken: string }>('/v1/devices', { controllerId });
    return new Client(controllerId, id, `TargetToken ${targetToken}`);
  }

  get root(): string {
    return `/acme/controller/v1/${this.id}`;
  }
  ask(method: string, at: string, asking: Asking = {}): Promise<Answer> {
    return ask(method, `${this.root}${at}`, { authorization: this.authorization, ...asking });
  }
  /** By an absolute link, as clients do. */
  follow(href: string, method = 'GET', asking: Asking = {}): Promise<Answer> {
    const { pathname, search, host } = new URL(href);
    expect(host).toBe(`127.0.0.1:${port}`);
    return ask(method, `${pathname}${search}`, { authorization: this.authorization, ...asking });
  }
  async base(): Promise<Base> {
    const answer = await this.ask('GET', '');
    expect(answer.status, answer.bytes.toString()).toBe(200);
    return answer.json as Base;
  }
  async links(): Promise<Record<string, string>> {
    const { _links = {} } = await this.base();
    return Object.fromEntries(Object.entries(_links).map(([name, { href }]) => [name, href]));
  }
  /** Names of its links, but for the question what it is. */
  async offered(): Promise<string[]> {
    return Object.keys(await this.links()).filter((name) => name !== 'configData');
  }
  async actionId(link = 'deploymentBase'): Promise<number> {
    const href = (await this.links())[link];
    expect(href, `no ${link}`).toBeDefined();
    return Number(/\/(\d+)(\?|$)/.exec(href!)![1]);
  }
  async tell(data: Record<string, string | null>, mode?: string): Promise<void> {
    const body = { ...(mode === undefined ? {} : { mode }), data };
    expect((await this.ask('PUT', '/configData', { body })).status).toBe(200);
  }
  report(actionId: number, execution: string, finished: string, details: string[] = [], at = 'deploymentBase') {
    const body = { id: String(actionId), status: { execution, result: { finished }, details } };
    return this.ask('POST', `/${at}/${actionId}/feedback`, { body });
  }
  async facts(): Promise<{ type: string; data: Record<string, unknown> }[]> {
    const own = (await records('muster.device')).filter(({ subject }) => subject === this.deviceId);
    return own.map(({ type, data }) => ({ type, data: data as Record<string, unknown> }));
  }
  async names(): Promise<string[]> {
    return (await this.facts()).map(({ type }) => type);
  }
}

async function publish(bytes: Buffer, description: object = {}, selector = 'true'): Promise<string> {
  const tus = { 'tus-resumable': '1.0.0' };
  const auth = (test: supertest.Test) => test.auth(admin, { type: 'bearer' }).set(tus);
  const metadata = `filename ${Buffer.from('a.swu').toString('base64')}`;
  const created = await auth(supertest(people).post('/v1/uploads'))
    .set({ 'upload-length': String(bytes.length), 'upload-metadata': metadata })
    .expect(201);
  const location = created.headers.location as string;
  await auth(supertest(people).patch(location))
    .set({ 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' })
    .send(bytes)
    .expect(204);
  const uploadId = location.split('/').at(-1);
  const about = { name: 'update.swu', version: '2.1', ...description };
  return (await made<{ contentId: string }>('/v1/contents', { uploadId, description: about, selector })).contentId;
}

const order = (campaignId: string, verb: string, body: object = {}) =>
  made(`/v1/campaigns/${campaignId}/${verb}`, body);

interface Launched {
  client: Client;
  bytes: Buffer;
  contentId: string;
  campaignId: string;
}

/** A client, and a campaign for it alone. */
async function launch(settings: object = {}, description: object = {}, size = 3_000): Promise<Launched> {
  const client = await Client.make();
  await client.tell({ model: client.id });
  const bytes = randomBytes(size);
  const contentId = await publish(bytes, description, `device.model == "${client.id}"`);
  const body = { name: 'radio', contents: [contentId], mode: 'server', ...settings };
  const { campaignId } = await made<{ campaignId: string }>('/v1/campaigns', body);
  await order(campaignId, 'schedule');
  return { client, bytes, contentId, campaignId };
}

const hash = (algorithm: string, bytes: Buffer) => createHash(algorithm).update(bytes).digest('hex');

describe('a poll', () => {
  it('tells when to come again, and asks a device at its first what it is', async () => {
    const client = await Client.make();
    const { config, _links } = await client.base();
    expect(config.polling.sleep).toMatch(/^00:(09|10):[0-5]\d$|^00:11:00$/);
    const href = `https://127.0.0.1:${port}${client.root}/configData`;
    expect(_links).toEqual({ configData: { href } });
    await client.tell({ model: 'm1', free: '42' });
    expect((await client.base())._links).toBeUndefined();
    const described = (await client.facts()).filter(({ type }) => type === 'HandsetDescribed');
    expect(described).toMatchObject([{ data: { attributes: { model: 'm1', free: 42 }, zone: 'UTC' } }]);
  });

  it("is recorded as any other device's", async () => {
    const client = await Client.make();
    await client.base();
    await until(async () =>
      (await records('muster.device')).some(
        ({ type, data }) => type === 'PollsRecorded' && JSON.stringify(data).includes('ddi;v=1'),
      ),
    );
  });

  it('offers one thing at a time by a decimal id, and the same until it is closed', async () => {
    const { client, contentId } = await launch();
    const other = await publish(randomBytes(10), {}, `device.model == "${client.id}"`);
    const second = { name: 'other', contents: [other], mode: 'server', priority: 1_000 };
    const { campaignId } = await made<{ campaignId: string }>('/v1/campaigns', second);
    const first = await client.actionId();
    await order(campaignId, 'schedule');
    expect(await client.actionId()).toBe(first);
    expect(first).toBeGreaterThan(0);
    expect(await client.offered()).toEqual(['deploymentBase']);
    expect((await client.report(first, 'closed', 'success')).status).toBe(200);
    const next = await client.actionId();
    expect(next).toBeGreaterThan(first);
    expect((await client.facts()).filter(({ type }) => type === 'OfferMade').map(({ data }) => data.contentId)).toEqual(
      [contentId, other],
    );
    await client.report(next, 'closed', 'success');
    expect(await client.offered()).toEqual(['installedBase']);
  });

  it('has an ETag, and is answered 304 while nothing changes', async () => {
    const { client } = await launch();
    const href = (await client.links()).deploymentBase!;
    const first = await client.follow(href);
    expect(first.headers['content-type']).toBe('application/json');
    const again = await client.follow(href, 'GET', { headers: { 'if-none-match': String(first.headers.etag) } });
    expect([again.status, again.bytes.length]).toEqual([304, 0]);
    const hal = await client.follow(href, 'GET', { headers: { accept: 'application/hal+json' } });
    expect(hal.headers['content-type']).toBe('application/hal+json');
  });
});

describe('a deployment', () => {
  it('is one artifact in one chunk, with the digests that clients compare and absolute links', async () => {
    const { client, bytes } = await launch();
    const href = (await client.links()).deploymentBase!;
    const id = String(await client.actionId());
    const file = `https://127.0.0.1:${port}${client.root}/softwaremodules/${id}/artifacts/update.swu`;
    const hashes = { sha1: hash('sha1', bytes), md5: hash('md5', bytes), sha256: hash('sha256', bytes) };
    const links = { download: { href: file }, md5sum: { href: `${file}.MD5SUM` } };
    const artifact = { filename: 'update.swu', hashes, size: bytes.length, _links: links };
    const chunk = { part: 'os', version: '2.1', name: 'update.swu', artifacts: [artifact] };
    const { json, status } = await client.follow(href);
    expect(status).toBe(200);
    expect(json).toEqual({ id, deployment: { download: 'forced', update: 'forced', chunks: [chunk] } });
    expect((await client.ask('GET', `/softwaremodules/${id}/artifacts`)).json).toEqual([artifact]);
    expect((await client.names()).slice(-3)).toEqual(['OfferMade', 'GrantIssued', 'ContentRequested']);
  });

  it('comes with the newest messages where the client asks for its history', async () => {
    const { client } = await launch();
    const id = await client.actionId();
    await client.report(id, 'proceeding', 'none', ['one', 'two']);
    await client.report(id, 'proceeding', 'none', ['three']);
    const read = async (query: string) =>
      ((await client.ask('GET', `/deploymentBase/${id}${query}`)).json as { actionHistory?: object }).actionHistory;
    expect(await read('')).toBeUndefined();
    expect(await read('?actionHistory=2')).toEqual({ status: 'RUNNING', messages: ['three', 'two'] });
    expect(await read('?actionHistory=-1')).toMatchObject({ messages: ['three', 'two', 'one'] });
  });

  it('of another device, of nobody and of no number is not there', async () => {
    const [{ client }, stranger] = [await launch(), await Client.make()];
    const id = await client.actionId();
    for (const at of [`/deploymentBase/${id}`, `/softwaremodules/${id}/artifacts`, `/installedBase/${id}`])
      expect((await stranger.ask('GET', at)).status).toBe(404);
    expect((await stranger.report(id, 'closed', 'success')).status).toBe(404);
    for (const odd of ['0', '-1', '4294967296', '1e3', '7a', randomBytes(4).toString('hex') + 'x'])
      expect((await client.ask('GET', `/deploymentBase/${odd}`)).status).toBe(404);
    expect((await client.ask('GET', `/cancelAction/${id}`)).status).toBe(404);
    expect((await client.ask('GET', `/installedBase/${id}`)).status).toBe(404);
  });
});

describe('a download', () => {
  it('sends the whole, a part of it, and its checksum', async () => {
    const { client, bytes, contentId, campaignId } = await launch();
    const at = `/softwaremodules/${await client.actionId()}/artifacts/update.swu`;
    const sha1 = hash('sha1', bytes);
    const head = await client.ask('HEAD', at);
    expect(head).toMatchObject({ status: 200, headers: { 'content-length': '3000', etag: `"${sha1}"` } });
    const part = await client.ask('GET', at, { headers: { range: 'bytes=0-999' } });
    expect(part).toMatchObject({ status: 206, headers: { 'content-range': 'bytes 0-999/3000' } });
    const rest = await client.ask('GET', at, { headers: { range: 'bytes=1000-', 'if-range': `"${sha1}"` } });
    expect(rest.status).toBe(206);
    expect(Buffer.concat([part.bytes, rest.bytes])).toEqual(bytes);
    await until(async () => (await client.names()).includes('TransferCompleted'));
    const whole = await client.ask('GET', at);
    expect(whole).toMatchObject({ status: 200, bytes });
    expect(whole.headers).toMatchObject({
      'accept-ranges': 'bytes',
      'content-disposition': "attachment;filename*=UTF-8''update.swu",
      'content-type': 'application/octet-stream',
      'x-content-type-options': 'nosniff',
    });
    const sum = await client.ask('GET', `${at}.MD5SUM`);
    expect([sum.status, sum.bytes.toString()]).toEqual([200, `${hash('md5', bytes)}  update.swu`]);
    const about = { contentId, campaignId };
    expect((await client.facts()).filter(({ type }) => type.startsWith('Transfer'))).toEqual([
      { type: 'TransferStarted', data: about },
      { type: 'TransferResumed', data: { ...about, fromByte: 1_000 } },
      { type: 'TransferCompleted', data: { ...about, bytes: 3_000, sha256: hash('sha256', bytes) } },
    ]);
  });

  it('that leaves a gap is not complete', async () => {
    const { client } = await launch();
    const at = `/softwaremodules/${await client.actionId()}/artifacts/update.swu`;
    for (const range of ['bytes=2000-', 'bytes=0-999'])
      expect((await client.ask('GET', at, { headers: { range } })).status).toBe(206);
    expect((await client.ask('GET', at, { headers: { range: 'bytes=1000-1999' } })).status).toBe(206);
    expect(await client.names()).not.toContain('TransferCompleted');
    expect((await client.ask('GET', at, { headers: { range: 'bytes=2000-' } })).status).toBe(206);
    await until(async () => (await client.names()).includes('TransferCompleted'));
  });

  it('may come in pieces of any order', async () => {
    const { client } = await launch();
    const at = `/softwaremodules/${await client.actionId()}/artifacts/update.swu`;
    for (const range of ['bytes=2000-', 'bytes=500-1999', 'bytes=0-600'])
      expect((await client.ask('GET', at, { headers: { range } })).status).toBe(206);
    await until(async () => (await client.names()).includes('TransferCompleted'));
  });

  it('of what is named like a checksum is of the content', async () => {
    const { client, bytes } = await launch({}, { name: 'update.MD5SUM' });
    const { json } = await client.follow((await client.links()).deploymentBase!);
    const [, href] = /"download":{"href":"([^"]+)"/.exec(JSON.stringify(json))!;
    expect((await client.follow(href!)).bytes).toEqual(bytes);
    const sum = await client.follow(`${href}.MD5SUM`);
    expect(sum.bytes.toString()).toBe(`${hash('md5', bytes)}  update.MD5SUM`);
  });

  it('is refused by what it names: 412, 416, 404', async () => {
    const { client, bytes } = await launch();
    const at = `/softwaremodules/${await client.actionId()}/artifacts/update.swu`;
    const sha1 = hash('sha1', bytes);
    const by = async (headers: Record<string, string>) => (await client.ask('GET', at, { headers })).status;
    expect(await by({ 'if-match': sha1 })).toBe(200);
    expect(await by({ 'if-match': '*' })).toBe(200);
    expect(await by({ 'if-match': 'ab'.repeat(20) })).toBe(412);
    const behind = await client.ask('GET', at, { headers: { range: 'bytes=3000-' } });
    expect(behind).toMatchObject({ status: 416, headers: { 'content-range': 'bytes */3000' } });
    expect(await by({ range: 'bytes=0-1,5-6' })).toBe(200); // several ranges: the whole, as HTTP allows
    expect(await by({ range: 'bytes=0-9', 'if-range': `"${'ab'.repeat(20)}"` })).toBe(200);
    expect((await client.ask('GET', `${at}x`)).status).toBe(404);
  });

  it('has a short address where the name is long, and any name in its headers', async () => {
    const name = `${'ü'.repeat(100)}.swu`;
    const { client, bytes } = await launch({}, { name });
    const { json } = await client.follow((await client.links()).deploymentBase!);
    const { filename, _links } = (
      json as {
        deployment: { chunks: { artifacts: { filename: string; _links: { download: { href: string } } }[] }[] };
      }
    ).deployment.chunks[0]!.artifacts[0]!;
    expect(filename).toBe(name);
    expect(_links.download.href).toMatch(/\/[0-9a-f]{40}\.swu$/);
    expect((await client.follow(_links.download.href)).bytes).toEqual(bytes);
  });
});

describe('feedback', () => {
  it("makes INSTALLED_UNCONFIRMED of swupdate's words, and CONFIRMED of the success that follows", async () => {
    const { client } = await launch();
    const id = await client.actionId();
    expect((await client.report(id, 'proceeding', 'none', ['All Chunks Installed.'])).status).toBe(200);
    expect((await client.facts()).at(-1)).toMatchObject({ type: 'InstallReported', data: { outcome: 'installed' } });
    await client.report(id, 'proceeding', 'none', ['All Chunks Installed.']);
    expect(await client.actionId()).toBe(id);
    const answer = await client.report(id, 'closed', 'success', ['Update Installed.']);
    expect([answer.status, answer.bytes.length]).toEqual([200, 0]);
    expect((await client.names()).slice(-2)).toEqual(['InstallReported', 'OutcomeConfirmed']);
  });

  it('makes both of one success (rauc-hawkbit-updater), and asks again what the device is', async () => {
    const { client } = await launch();
    await client.report(await client.actionId(), 'closed', 'success');
    expect((await client.names()).slice(-2)).toEqual(['InstallReported', 'OutcomeConfirmed']);
    expect(Object.keys(await client.links()).sort()).toEqual(['configData', 'installedBase']);
  });

  it.each([
    ['before it was installed', false, { type: 'InstallReported', data: { outcome: 'failed', code: 'ddi.failure' } }],
    ['after it was installed', true, { type: 'OutcomeConfirmed', data: { outcome: 'rolled-back' } }],
  ])('of a failure %s is the end of the action', async (_, isInstalled, fact) => {
    const { client } = await launch();
    const id = await client.actionId();
    if (isInstalled) await client.report(id, 'proceeding', 'none', ['All Chunks Installed.']);
    expect((await client.report(id, 'closed', 'failure', ['Checksum does not match'])).status).toBe(200);
    expect((await client.facts()).at(-1)).toMatchObject(fact);
    expect(await client.offered()).toEqual([]); // not again by this campaign
  });

  it('of a failure because a hard pause cut the download is no failure of the device: it is offered anew', async () => {
    const { client, campaignId } = await launch();
    const id = await client.actionId();
    await client.ask('GET', `/softwaremodules/${id}/artifacts/update.swu`, { headers: { range: 'bytes=0-9' } });
    await order(campaignId, 'pause', { kind: 'hard', reason: 'stop' });
    for (let i = 0; i < 2; i += 1) expect((await client.report(id, 'closed', 'failure')).status).toBe(200);
    expect((await client.facts()).at(-1)).toMatchObject({ type: 'OfferWithheld', data: { gate: 'paused' } });
    expect(await client.names()).not.toContain('InstallReported');
    expect(await client.offered()).toEqual([]);
    await order(campaignId, 'resume', { reason: 'go' });
    expect(await client.actionId()).toBeGreaterThan(id);
  });

  it('of a failure because a recall cut the download acknowledges the recall', async () => {
    const { client, campaignId } = await launch();
    const id = await client.actionId();
    await order(campaignId, 'abort', { disposition: 'recall', reason: 'wrong' });
    expect((await client.report(id, 'closed', 'failure')).status).toBe(200);
    expect(await client.names()).not.toContain('InstallReported');
    expect(await client.offered()).toEqual([]);
  });

  it('that comes twice at once is on the record once, and so is an offer', async () => {
    const { client } = await launch();
    await Promise.all(Array.from({ length: 5 }, () => client.base()));
    const id = await client.actionId();
    const answers = await Promise.all(Array.from({ length: 5 }, () => client.report(id, 'closed', 'success')));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    const names = await client.names();
    for (const type of ['OfferMade', 'GrantIssued', 'InstallReported', 'OutcomeConfirmed'])
      expect(names.filter((each) => each === type)).toEqual([type]);
  });

  it('whose server died before it was on the record is put there before it is answered again', async () => {
    const { client, contentId, campaignId } = await launch();
    const id = await client.actionId();
    const owed = [{ type: 'InstallReported', data: { contentId, campaignId, outcome: 'installed' } }];
    const { actor } = server.app.get(Databases);
    const sql = `update ops.ddi_action set state = 'finished', owed = $3, owed_until = $4
      where tenant = $1 and action_id = $2 returning 1`;
    const past = new Date(clock.now() - 1_000);
    await actor.inTenant('acme', (tx) => tx.query(sql, ['acme', id, JSON.stringify(owed), past]));
    expect((await client.report(id, 'closed', 'success')).status).toBe(200);
    expect((await client.facts()).at(-1)).toEqual(owed[0]);
    expect((await client.report(id, 'closed', 'success')).status).toBe(200);
    expect((await client.names()).filter((type) => type === 'InstallReported')).toHaveLength(1);
  });

  it('is in the history and asks what the device is also where its record had to wait', async () => {
    const { client, contentId, campaignId } = await launch();
    const id = await client.actionId();
    const { actor } = server.app.get(Databases);
    const owed = JSON.stringify([{ type: 'TransferStarted', data: { contentId, campaignId } }]);
    const busy = `update ops.ddi_action set owed = $3, owed_until = $4 where tenant = $1 and action_id = $2 returning 1`;
    const until = (ms: number) =>
      actor.inTenant('acme', (tx) => tx.query(busy, ['acme', id, owed, new Date(clock.now() + ms)]));
    await until(60_000); // another process has claimed it, and says no more
    const answered = client.report(id, 'closed', 'success', ['done']);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await until(-1);
    expect((await answered).status).toBe(200);
    expect((await client.names()).slice(-2)).toEqual(['InstallReported', 'OutcomeConfirmed']);
    const { json } = await client.ask('GET', `/installedBase/${id}?actionHistory=1`);
    expect(json).toMatchObject({ actionHistory: { messages: ['done'] } });
    expect(await client.links()).toHaveProperty('configData');
  });

  it('that says "Skipped Update." is no installation: the offer stands', async () => {
    const { client } = await launch();
    const id = await client.actionId();
    expect((await client.report(id, 'closed', 'success', ['Skipped Update.'])).status).toBe(200);
    expect(await client.names()).not.toContain('InstallReported');
    expect(await client.actionId()).toBe(id);
  });

  it('that is final and comes again is answered 200 and changes nothing; anything else is gone', async () => {
    const { client } = await launch();
    const id = await client.actionId();
    await client.report(id, 'closed', 'success');
    const before = await client.names();
    expect((await client.report(id, 'closed', 'success')).status).toBe(200);
    expect((await client.report(id, 'closed', 'none')).status).toBe(200);
    expect((await client.report(id, 'closed', 'failure')).status).toBe(410);
    expect((await client.report(id, 'proceeding', 'none')).status).toBe(410);
    expect(await client.names()).toEqual(before);
  });

  it.each(['canceled', 'rejected', 'download', 'downloaded', 'proceeding', 'scheduled', 'resumed'])(
    'of %s is a line of its history and no more',
    async (execution) => {
      const { client } = await launch();
      const id = await client.actionId();
      const before = await client.names();
      expect((await client.report(id, execution, 'none', ['so far'])).status).toBe(200);
      expect(await client.names()).toEqual(before);
      expect(await client.actionId()).toBe(id);
    },
  );

  const good = { execution: 'proceeding', result: { finished: 'none' } };
  it.each<[string, unknown, number, string]>([
    ['nothing', undefined, 400, 'rest.body.notReadable'],
    ['no JSON', '{"status":', 400, 'rest.body.notReadable'],
    ['a list', [], 400, 'rest.body.notReadable'],
    ['no status', {}, 400, 'rest.body.notReadable'],
    ['no result', { status: { execution: 'closed' } }, 400, 'rest.body.notReadable'],
    ['no execution', { status: { result: { finished: 'none' } } }, 400, 'rest.body.notReadable'],
    ['an unknown execution', { status: { ...good, execution: 'done' } }, 400, 'rest.body.notReadable'],
    ['an unknown end', { status: { ...good, result: { finished: 'maybe' } } }, 400, 'rest.body.notReadable'],
    ['an end that is none', { status: { ...good, result: { finished: 1 } } }, 400, 'rest.body.notReadable'],
    ['a code that is text', { status: { ...good, code: 'x' } }, 400, 'rest.body.notReadable'],
    [
      'a progress that is text',
      { status: { ...good, result: { finished: 'none', progress: 'x' } } },
      400,
      'rest.body.notReadable',
    ],
    ['details that are numbers', { status: { ...good, details: [1] } }, 400, 'rest.body.notReadable'],
    [
      '51 messages',
      { status: { ...good, details: Array.from({ length: 51 }, () => 'x') } },
      429,
      'quota.tooManyEntries',
    ],
  ])("with %s is refused in hawkBit's form, and changes nothing", async (_, body, status, code) => {
    const { client } = await launch();
    const id = await client.actionId();
    const before = await client.names();
    const answer = await client.ask('POST', `/deploymentBase/${id}/feedback`, { body });
    expect([answer.status, answer.headers['content-type']]).toEqual([
      status,
      expect.stringContaining('application/json'),
    ]);
    expect(answer.json).toMatchObject({
      errorCode: `hawkbit.server.error.${code}`,
      exceptionClass: expect.stringMatching(/^org\.eclipse\.hawkbit\./) as string,
      message: expect.any(String) as string,
    });
    expect(await client.names()).toEqual(before);
    expect(await client.actionId()).toBe(id);
  });

  it('may have fields that nobody knows, one message in place of a list, and words in capitals', async () => {
    const { client } = await launch();
    const id = await client.actionId();
    const status = {
      execution: 'CLOSED',
      result: { finished: 'Success', progress: { cnt: 2, of: 5 } },
      details: 'ok',
      more: 1,
    };
    const body = { id: 'x', time: '20261130T120000', timestamp: 1, surplus: {}, status };
    expect((await client.ask('POST', `/deploymentBase/${id}/feedback`, { body })).status).toBe(200);
    expect((await client.names()).at(-1)).toBe('OutcomeConfirmed');
  });

  it('ends at 1,000 reports on an action, but for the final one', async () => {
    const { client } = await launch();
    const id = await client.actionId();
    const { actor } = server.app.get(Databases);
    await actor.inTenant('acme', (tx) =>
      tx.query('update ops.ddi_action set reports = 1000 where tenant = $1 and action_id = $2', ['acme', id]),
    );
    expect((await client.report(id, 'proceeding', 'none')).status).toBe(429);
    expect((await client.report(id, 'closed', 'success')).status).toBe(200);
  });
});

describe('what a device tells', () => {
  it('is merged, replaced and removed, typed by the schema; what does not fit is kept aside', async () => {
    const client = await Client.make();
    const told = async () =>
      ((await client.facts()).findLast(({ type }) => type === 'HandsetDescribed')?.data as { attributes: object })
        .attributes;
    await client.tell({ model: 'a', free: '7', home: 'true', unknown: 'x' });
    expect(await told()).toEqual({ model: 'a', free: 7, home: true });
    await client.tell({ free: 'much', home: null });
    expect(await told()).toEqual({ model: 'a' });
    await client.tell({ free: '9' }, 'replace');
    expect(await told()).toEqual({ free: 9 });
    await client.tell({ model: 'b' }, 'merge');
    await client.tell({ free: '' }, 'remove');
    expect(await told()).toEqual({ model: 'b' });
  });

  it.each<[string, unknown, number]>([
    ['no data', {}, 400],
    ['data that is a list', { data: [] }, 400],
    ['an unknown mode', { mode: 'add', data: {} }, 400],
    ['a number', { data: { free: 7 } }, 400],
    ['a name over 128 characters', { data: { ['x'.repeat(129)]: 'a' } }, 400],
    ['a value over 128 characters', { data: { model: 'x'.repeat(129) } }, 400],
    ['a value with other characters', { data: { model: 'é' } }, 400],
    ['101 names', { data: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`a${i}`, ''])) }, 429],
  ])('with %s is refused, and nothing of it counts', async (_, body, status) => {
    const client = await Client.make();
    await client.tell({ model: 'a' });
    const before = await client.names();
    const answer = await client.ask('PUT', '/configData', { body });
    expect(answer.status, answer.bytes.toString()).toBe(status);
    expect((answer.json as { errorCode: string }).errorCode).toMatch(/^hawkbit\.server\.error\./);
    expect(await client.names()).toEqual(before);
  });

  it('is in no table in plain', async () => {
    const client = await Client.make();
    const canary = `canary-${randomBytes(8).toString('hex')}`;
    await client.tell({ model: canary });
    const { actor } = server.app.get(Databases);
    const rows = await actor.inTenant('acme', (tx) =>
      tx.query<{ kept: Buffer }>('select kept from ops.ddi_device where tenant = $1 and device_id = $2', [
        'acme',
        client.deviceId,
      ]),
    );
    expect(rows[0]!.kept.includes(canary)).toBe(false);
  });
});

describe('gates', () => {
  it('leave the link out outside the window, say when to come again, and record it once', async () => {
    const at = (ms: number) => new Date(clock.now() + ms).toISOString().slice(11, 16);
    const windows = [{ days: [1, 2, 3, 4, 5, 6, 7], from: at(2 * HOUR), to: at(3 * HOUR), zone: 'UTC' }];
    const { client } = await launch({ windows });
    expect(await client.offered()).toEqual([]);
    expect(await client.offered()).toEqual([]);
    const held = (await client.facts()).filter(({ type }) => type === 'OfferWithheld');
    expect(held).toMatchObject([{ data: { gate: 'window' } }]);
    clock.offset += 2.5 * HOUR;
    const id = await client.actionId();
    clock.offset += HOUR; // closed again: the same waits
    expect(await client.offered()).toEqual([]);
    const bytes = await client.ask('GET', `/softwaremodules/${id}/artifacts/update.swu`);
    expect([bytes.status, bytes.headers['retry-after']]).toEqual([429, expect.stringMatching(/^\d{4,5}$/)]);
    clock.offset += 23 * HOUR;
    expect(await client.actionId()).toBe(id);
  });

  it('of a paused campaign hold back what is new, and leave what was offered', async () => {
    const { client, campaignId } = await launch();
    const id = await client.actionId();
    await order(campaignId, 'pause', { kind: 'soft', reason: 'look' });
    expect(await client.actionId()).toBe(id);
    const late = await Client.make();
    await late.tell({ model: client.id });
    expect(await late.offered()).toEqual([]);
    expect((await late.facts()).at(-1)).toMatchObject({ type: 'OfferWithheld', data: { gate: 'paused' } });
  });

  it('of one that is paused hard leave the link out, but for what is installed', async () => {
    const { client, campaignId } = await launch();
    const id = await client.actionId();
    await order(campaignId, 'pause', { kind: 'hard', reason: 'stop' });
    expect(await client.offered()).toEqual([]);
    expect((await client.ask('GET', `/softwaremodules/${id}/artifacts/update.swu`)).status).toBe(403);
    await order(campaignId, 'resume', { reason: 'go' });
    await client.report(await client.actionId(), 'proceeding', 'none', ['All Chunks Installed.']);
    await order(campaignId, 'pause', { kind: 'hard', reason: 'stop' });
    expect(await client.actionId()).toBe(id);
  });

  it('count hawkBit clients against the caps of a campaign', async () => {
    const { client } = await launch({ caps: { transfers: 1 } });
    const rival = await Client.make();
    await rival.tell({ model: client.id });
    const id = await client.actionId();
    expect(await rival.offered()).toEqual([]);
    await client.report(id, 'closed', 'success');
    await until(async () => (await rival.offered()).includes('deploymentBase'));
  });
});

describe('a recall', () => {
  const recall = { disposition: 'recall', reason: 'wrong' };

  it.each(['closed', 'canceled'])('is a cancel, which the client acknowledges by %s', async (execution) => {
    const { client, campaignId } = await launch();
    const id = await client.actionId();
    await order(campaignId, 'abort', recall);
    expect(await client.offered()).toEqual(['cancelAction']);
    const { json, status } = await client.follow((await client.links()).cancelAction!);
    expect([status, json]).toEqual([200, { id: String(id), cancelAction: { stopId: String(id) } }]);
    expect((await client.ask('GET', `/deploymentBase/${id}`)).status).toBe(404);
    expect((await client.ask('GET', `/softwaremodules/${id}/artifacts/update.swu`)).status).toBe(404);
    expect((await client.report(id, execution, 'success', [], 'cancelAction')).status).toBe(200);
    expect((await client.report(id, execution, 'success', [], 'cancelAction')).status).toBe(200);
    expect(await client.offered()).toEqual([]);
    expect((await client.facts()).at(-1)).toMatchObject({ type: 'OfferWithheld', data: { gate: 'ended' } });
    expect((await client.report(id, 'closed', 'success')).status).toBe(410);
  });

  it('that the client refuses leaves it to go on, and is not asked again', async () => {
    const { client, campaignId } = await launch();
    const id = await client.actionId();
    await order(campaignId, 'abort', recall);
    await client.links();
    expect((await client.report(id, 'rejected', 'none', ['busy'], 'cancelAction')).status).toBe(200);
    expect(await client.actionId()).toBe(id);
    expect((await client.report(id, 'closed', 'success')).status).toBe(200);
    expect((await client.names()).at(-1)).toBe('OutcomeConfirmed');
  });

  it('leaves what is installed until the client closes it', async () => {
    const { client, campaignId } = await launch();
    const id = await client.actionId();
    await client.report(id, 'proceeding', 'none', ['All Chunks Installed.']);
    await order(campaignId, 'abort', recall);
    expect(await client.actionId()).toBe(id);
    expect((await client.report(id, 'closed', 'success', [], 'cancelAction')).status).toBe(405);
  });

  it('is not what an abort that keeps is: nothing begun ends in silence, and comes again when that is undone', async () => {
    const { client, campaignId } = await launch();
    const id = await client.actionId();
    await order(campaignId, 'abort', { disposition: 'keep', reason: 'enough' });
    expect(await client.offered()).toEqual([]);
    await order(campaignId, 'undo', { reason: 'it was right' });
    expect(await client.actionId()).toBeGreaterThan(id);
  });

  it('ends by itself when nobody acknowledges it for a day', async () => {
    const { client, campaignId } = await launch();
    await client.actionId();
    await order(campaignId, 'abort', recall);
    expect(await client.offered()).toEqual(['cancelAction']);
    clock.offset += 25 * HOUR;
    expect(await client.offered()).toEqual([]);
  });
});

describe('confirmation', () => {
  it('asks the user first, and offers after a yes', async () => {
    const { client } = await launch({ confirmation: true });
    expect(await client.offered()).toEqual(['confirmationBase']);
    const id = await client.actionId('confirmationBase');
    expect((await client.ask('GET', `/deploymentBase/${id}`)).status).toBe(404);
    expect((await client.report(id, 'closed', 'success')).status).toBe(404);
    const { json } = await client.ask('GET', `/confirmationBase/${id}`);
    expect(json).toMatchObject({ id: String(id), confirmation: { chunks: [{ name: 'update.swu' }] } });
    const body = { confirmation: 'confirmed', code: 10, details: ['go'] };
    const answer = await client.ask('POST', `/confirmationBase/${id}/feedback`, { body });
    expect([answer.status, answer.bytes.length]).toEqual([200, 0]);
    expect(await client.actionId()).toBe(id);
    expect((await client.ask('GET', `/confirmationBase/${id}`)).status).toBe(404);
  });

  it('takes a no for an answer: it is declined, and does not come again', async () => {
    const { client } = await launch({ confirmation: true });
    const id = await client.actionId('confirmationBase');
    const deny = (confirmation = 'denied') =>
      client.ask('POST', `/confirmationBase/${id}/feedback`, { body: { confirmation } });
    expect((await deny()).status).toBe(200);
    expect((await deny()).status).toBe(200);
    expect((await deny('confirmed')).status).toBe(410);
    expect((await client.facts()).at(-1)).toMatchObject({ type: 'ContentDeclined', data: { reason: 'user' } });
    expect(await client.offered()).toEqual([]);
    expect((await deny('perhaps')).status).toBe(400);
  });

  it('is given by the device itself once it says so', async () => {
    const { client } = await launch({ confirmation: true });
    const id = await client.actionId('confirmationBase');
    const show = async () => (await client.ask('GET', '/confirmationBase')).json;
    expect(await show()).toMatchObject({ autoConfirm: { active: false } });
    const activate = () =>
      client.ask('POST', '/confirmationBase/activateAutoConfirm', { body: { initiator: 'owner', remark: 'always' } });
    expect((await activate()).status).toBe(200);
    expect((await activate()).status).toBe(409);
    expect(await show()).toMatchObject({ autoConfirm: { active: true, initiator: 'owner', remark: 'always' } });
    expect(await client.actionId()).toBe(id);
    expect((await client.ask('POST', '/confirmationBase/deactivateAutoConfirm')).status).toBe(200);
    expect((await client.ask('POST', '/confirmationBase/activateAutoConfirm')).status).toBe(200);
    const empty = { headers: { 'content-type': 'application/json', 'content-length': '0' } };
    expect((await client.ask('POST', '/confirmationBase/deactivateAutoConfirm', empty)).status).toBe(200);
    expect((await client.ask('POST', '/confirmationBase/activateAutoConfirm', empty)).status).toBe(200);
  });

  it('that was taken back stays so, whatever the device tells at the same time', async () => {
    const client = await Client.make();
    await client.ask('POST', '/confirmationBase/activateAutoConfirm');
    const tells = Array.from({ length: 5 }, (_, i) => client.tell({ model: `m${i}` }));
    await Promise.all([client.ask('POST', '/confirmationBase/deactivateAutoConfirm'), ...tells]);
    expect((await client.ask('GET', '/confirmationBase')).json).toMatchObject({ autoConfirm: { active: false } });
  });

  it('is not waited for where the device gives it itself', async () => {
    const { client } = await launch({ confirmation: true });
    const id = await client.actionId('confirmationBase');
    await client.ask('POST', '/confirmationBase/activateAutoConfirm');
    const { actor } = server.app.get(Databases);
    const sql = `update ops.ddi_action set state = 'waiting' where tenant = $1 and action_id = $2 returning 1`;
    await actor.inTenant('acme', (tx) => tx.query(sql, ['acme', id])); // as one that was begun while it was activated
    expect(await client.actionId()).toBe(id);
  });
});

describe('credentials', () => {
  it('are for one device of one tenant; all others look alike, with an empty body', async () => {
    const [client, other] = [await Client.make(), await Client.make()];
    const status = async (url: string, authorization?: string) => {
      const { status: code, bytes } = await ask('GET', url, authorization === undefined ? {} : { authorization });
      expect(bytes.length === 0).toBe(code === 401);
      return code;
    };
    expect(await status(client.root, client.authorization)).toBe(200);
    expect(await status(client.root)).toBe(401);
    expect(await status(client.root, other.authorization)).toBe(401);
    expect(await status(`/globex/controller/v1/${client.id}`, client.authorization)).toBe(401);
    expect(await status('/acme/controller/v1/nobody', client.authorization)).toBe(401);
    expect(await status(client.root, client.authorization.replace('TargetToken', 'targettoken'))).toBe(401);
    expect(await status(client.root, 'TargetToken nonsense')).toBe(401);
    expect(await status(client.root, `Bearer ${admin}`)).toBe(401);
  });

  it('try nothing: what a client reports is a fact', async () => {
    const client = await Client.make();
    const answer = await client.ask('PUT', '/configData?dry_run=true', { body: { data: { model: 'tried' } } });
    expect([answer.status, answer.headers['muster-dry-run']]).toEqual([200, undefined]);
  });

  it('end with a revocation at once, and with being forgotten; a new token brings a revoked device back', async () => {
    const client = await Client.make();
    await client.base();
    await made(`/v1/devices/${client.deviceId}/revoke`, { reason: 'lost' });
    expect((await client.ask('GET', '')).status).toBe(401);
    const { targetToken } = await made<{ targetToken: string }>(`/v1/devices/${client.deviceId}/target-token`);
    const again = new Client(client.id, client.deviceId, `TargetToken ${targetToken}`);
    expect((await again.ask('GET', '')).status).toBe(200);
    expect((await client.ask('GET', '')).status).toBe(401);
    await made(`/v1/devices/${client.deviceId}/forget`, { reason: 'asked' });
    expect((await again.ask('GET', '')).status).toBe(401);
    expect((await post('/v1/devices', { controllerId: client.id })).status).toBe(201); // by a person, as a new device
  });

  it('are shown once, and again to who repeats the command', async () => {
    const body = { controllerId: `c-${(n += 1)}`, label: 'gate' };
    const key = { 'idempotency-key': 'k1' };
    const [first, second] = [await post('/v1/devices', body, key), await post('/v1/devices', body, key)];
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.body).toEqual(first.body);
    expect(
      await post('/v1/devices', body).then(({ status, body: told }) => [status, (told as { code: string }).code]),
    ).toEqual([409, 'device.exists']);
    for (const controllerId of ['', 'a/b', 'x'.repeat(101), 7])
      expect((await post('/v1/devices', { controllerId })).status).toBe(400);
  });

  it('of a gateway enrol whoever comes, until it is revoked; what was revoked stays out', async () => {
    const { code, id } = await made<{ code: string; id: string }>('/v1/enrolment-codes', { gatewayDays: 365 });
    const authorization = `GatewayToken ${code}`;
    const controllerId = `plug-${(n += 1)}`;
    const poll = () => ask('GET', `/acme/controller/v1/${controllerId}`, { authorization });
    const both = await Promise.all([poll(), poll()]);
    expect(both.map(({ status }) => status)).toEqual([200, 200]);
    const enrolled = (await records('muster.handset')).filter(
      ({ type, data }) => type === 'HandsetEnrolled' && (data as { label: string }).label === controllerId,
    );
    expect(enrolled).toMatchObject([{ data: { controllerId, channel: 'main' } }]);
    await made(`/v1/devices/${enrolled[0]!.subject}/forget`, { reason: 'asked' });
    expect((await poll()).status).toBe(401);
    const csr = (await testKey()).csr;
    expect((await ask('POST', '/enrol/v1', { body: { code, csr } })).status).toBe(404); // no code for a handset
    const other = () => ask('GET', `/acme/controller/v1/${controllerId}-2`, { authorization });
    expect((await other()).status).toBe(200);
    await supertest(people).post(`/v1/enrolment-codes/${id}/revoke`).auth(admin, { type: 'bearer' }).expect(204);
    expect((await other()).status).toBe(401);
  });

  it('may be a certificate of ours, of the device that is named', async () => {
    const { code } = await made<{ code: string }>('/v1/enrolment-codes');
    const key = await testKey();
    const { json } = await ask('POST', '/enrol/v1', { body: { code, csr: key.csr } });
    const { certificate: cert, deviceId } = json as EnrolAnswer;
    const certificate = { cert, key: key.privateKeyPem };
    expect((await ask('GET', `/acme/controller/v1/${deviceId}`, { certificate })).status).toBe(200);
    expect((await ask('GET', '/acme/controller/v1/another', { certificate })).status).toBe(401);
    expect((await post(`/v1/devices/${deviceId}/target-token`)).status).toBe(404); // it would lose its certificate by it
  });
});

it('complains of nothing', () => expect(complaints).toEqual([]));
