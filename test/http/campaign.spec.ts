import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { Agent, request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import supertest from 'supertest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type CampaignOptions,
  campaignMigrations,
  CampaignModule,
  campaignProjections,
} from '#campaign/nest/campaign.module.js';
import { campaignDefinitions, unpackPolls } from '#campaign/events.js';
import type { ContentRequestsAnswer, EnrolAnswer, Inbox, RequestAnswer } from '#device-protocol/index.js';
import { eventCatalog, type EventRecord, ProjectionRunner, type Topic } from '#event-log/index.js';
import { Databases, EventLogModule, eventLogMigrations, TailLog } from '#event-log/nest/event-log.module.js';
import { deviceDefinitions } from '#handset/events.js';
import { httpsTransport } from '#handset/index.js';
import { auditDefinitions, handsetDefinitions } from '#identity/events.js';
import { Bootstrap, CertificateAuthority, IdentityModule, identityMigrations } from '#identity/nest/identity.module.js';
import { type TestKey, testKey } from '#identity/testing.js';
import { type Log, type LogFields, newId, silentLog } from '#runtime/index.js';
import { createServer, type MusterServer, RuntimeModule, ShortCuts } from '#runtime/nest/runtime.module.js';
import { drive, TufClient, type TufPorts } from '#tuf/index.js';
import { type TestDatabase, testDatabase } from '../support/database.js';

const PASSWORD = 'correct horse battery';
const DAY = 86_400_000;

/** Everything that is logged at warn or above while these tests run. */
const complaints: string[] = [];
const complain = (event: string, fields?: LogFields) => void complaints.push(`${event} ${String(fields?.err)}`);
const log: Log = { ...silentLog, warn: complain, error: complain };
const shown: string[] = [];

const clock = { offset: 0, now: () => Date.now() + clock.offset };
let database: TestDatabase;
let server: MusterServer;
let runner: ProjectionRunner;
let folder: string;
let people: string;
let handsets: number;
let ca: string;
let admin: As;

beforeAll(async () => {
  database = await testDatabase([...eventLogMigrations, ...identityMigrations, ...campaignMigrations]);
  folder = mkdtempSync(path.join(tmpdir(), 'muster-campaign-'));
  const urls = {
    actor: database.url('muster_campaign'),
    tail: database.url('muster_tail'),
    projector: database.url('muster_projector'),
    insight: database.url('muster_insight'),
  };
  const catalog = eventCatalog([handsetDefinitions, auditDefinitions, deviceDefinitions, ...campaignDefinitions]);
  const options: CampaignOptions = {
    dataDir: folder,
    pollIntervalSeconds: 60,
    showOnce: (line) => void shown.push(line),
  };
  @Module({
    imports: [
      RuntimeModule.forRoot({ clock, log }),
      EventLogModule.forRoot({ urls, kekFile: path.join(folder, 'kek'), catalog }),
      IdentityModule.forRoot(),
      CampaignModule.forRoot(options),
    ],
  })
  class App {}
  server = await createServer(App, { log });
  const authority = server.app.get(CertificateAuthority);
  const tls = await authority.serverTls(['localhost', '127.0.0.1']);
  const at = { host: '127.0.0.1', port: 0 };
  const ports = await server.listen({ people: at, handset: { ...at, tls } });
  people = `http://127.0.0.1:${ports.people}`;
  handsets = ports.handset!;
  ca = await authority.serverCa();
  await server.app
    .get(Bootstrap)
    .bootstrapAdministrator({ tenant: 'acme', email: 'root@acme.test', password: PASSWORD });
  admin = await login('acme', 'root@acme.test');
  const { projector } = server.app.get(Databases);
  runner = new ProjectionRunner({
    database: projector,
    source: server.app.get(TailLog),
    projections: campaignProjections,
    log,
  });
  await runner.start();
});
afterAll(async () => {
  await runner.stop();
  await server.close();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

const as = (token: string) => ({
  token,
  get: (url: string) => supertest(people).get(url).auth(token, { type: 'bearer' }),
  post: (url: string, body?: object) => supertest(people).post(url).auth(token, { type: 'bearer' }).send(body),
  put: (url: string, body: object) => supertest(people).put(url).auth(token, { type: 'bearer' }).send(body),
});
type As = ReturnType<typeof as>;

async function login(tenant: string, email: string): Promise<As> {
  const answer = await supertest(people).post('/v1/sessions').send({ tenant, email, password: PASSWORD }).expect(201);
  return as((answer.body as { token: string }).token);
}

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  bytes: Buffer;
  json: unknown;
}
interface Enrolled extends EnrolAnswer {
  key: TestKey;
}
interface Asking {
  device?: Enrolled;
  body?: object | string;
  headers?: Record<string, string>;
}

/** A request on the handset's port; trusts our CA alone. */
function onHandsetPort(method: string, url: string, { device, body, headers = {} }: Asking = {}): Promise<Answer> {
  const text = typeof body === 'object' ? JSON.stringify(body) : body;
  const agent = new Agent({ maxCachedSessions: 0 });
  const json =
    text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
  const tls = device === undefined ? {} : { cert: device.certificate, key: device.key.privateKeyPem };
  const options = { host: '127.0.0.1', port: handsets, path: url, method, ca, ...tls, agent };
  return new Promise((resolve, reject) => {
    const request = httpsRequest({ ...options, headers: { ...headers, ...json } }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => {
        agent.destroy();
        const bytes = Buffer.concat(parts);
        const isJson = /json/.test(response.headers['content-type'] ?? '') && bytes.length > 0;
        const parsed: unknown = isJson ? JSON.parse(bytes.toString('utf8')) : undefined;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes, json: parsed });
      });
    });
    request.on('error', reject);
    request.end(text);
  });
}

async function enrol(by: As = admin, channel = 'main'): Promise<Enrolled> {
  const key = await testKey();
  const answer = await by.post('/v1/enrolment-codes', { channel }).expect(201);
  const { code } = answer.body as { code: string };
  const enrolled = await onHandsetPort('POST', '/enrol/v1', { body: { code, csr: key.csr } });
  expect(enrolled.status).toBe(200);
  return { ...(enrolled.json as EnrolAnswer), key };
}

/** The body is what the test says it is, not `any`. */
const read = ({ body }: { body: unknown }): { body: unknown } => ({ body });

const encode = (text: string | Buffer) => Buffer.from(text).toString('base64');
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const TUS = { 'tus-resumable': '1.0.0' };

function createUpload(by: As, size: number, metadata: string) {
  const headers = { ...TUS, 'upload-length': String(size), 'upload-metadata': metadata };
  return by.post('/v1/uploads').set(headers);
}

function sendBytes(by: As, location: string, bytes: Buffer, offset = 0) {
  return supertest(people)
    .patch(location)
    .auth(by.token, { type: 'bearer' })
    .set({ ...TUS, 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' })
    .send(bytes);
}

async function upload(bytes: Buffer, by: As = admin): Promise<string> {
  const created = await createUpload(by, bytes.length, `filename ${encode('a.bin')},sha256 ${encode(sha256(bytes))}`);
  expect(created.status).toBe(201);
  const location = created.headers.location as string;
  if (bytes.length > 0) await sendBytes(by, location, bytes).expect(204);
  return location.split('/').at(-1)!;
}

const described = { name: 'radio.bin', version: '2.1', attributes: { region: 'eu' } };

async function publish(bytes: Buffer, description: object = {}, by: As = admin): Promise<string> {
  const uploadId = await upload(bytes, by);
  const body = { uploadId, description: { ...described, ...description }, selector: 'true' };
  const answer = await by.post('/v1/contents', body).expect(201);
  return (answer.body as { contentId: string }).contentId;
}

interface CampaignAnswer {
  campaignId: string;
  status: string;
  version: number;
}

async function draft(contents: string[], settings: object = {}, by: As = admin): Promise<CampaignAnswer> {
  const answer = await by.post('/v1/campaigns', { name: 'radio', contents, ...settings }).expect(201);
  return answer.body as CampaignAnswer;
}

const order = (campaignId: string, verb: string, body?: object, ifMatch = '*', by: As = admin) =>
  by.post(`/v1/campaigns/${campaignId}/${verb}`, body).set('if-match', ifMatch);

async function launch(contents: string[], settings: object = {}): Promise<string> {
  const { campaignId } = await draft(contents, settings);
  await order(campaignId, 'schedule', {}).expect(200);
  return campaignId;
}

/** More than any partition holds here, also after a handset has sent all that it may. */
const WHOLE = 100_000;

async function records(topic: Topic): Promise<EventRecord[]> {
  const tail = server.app.get(TailLog);
  const parts = Array.from({ length: 12 }, (_, partition) => tail.read(topic, partition, 0, WHOLE));
  return (await Promise.all(parts)).flat();
}
const factsOf = async (device: Enrolled) =>
  (await records('muster.device')).filter(({ subject }) => subject === device.deviceId);

async function until<T>(look: () => Promise<T | undefined | false>, seconds = 15): Promise<T> {
  const deadline = Date.now() + seconds * 1_000;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s; complaints: ${complaints.join('; ')}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What a handset's TUF client finds, from the root that came with enrolment; undefined when no role lists the path. */
async function findTarget(device: Pick<Enrolled, 'root' | 'tuf'>, target: string) {
  const kept = new Map<string, Uint8Array>();
  const ports: TufPorts = {
    load: async (name) => kept.get(name),
    store: async (name, bytes) => void kept.set(name, bytes),
    remove: async (name) => void kept.delete(name),
    fetch: async (name) => {
      const { status, bytes } = await onHandsetPort('GET', `${device.tuf}${name}`);
      return status === 200 ? bytes : undefined;
    },
  };
  const client = new TufClient({ root: Buffer.from(device.root), now: clock.now() });
  await drive(client.refresh(), ports);
  return drive(client.target(target), ports).catch((error: { code?: string }) => {
    if (error.code === 'tuf.unknown-target') return undefined;
    throw error;
  });
}
const catalogued = (device: Enrolled, contentId: string) => until(() => findTarget(device, `content/${contentId}`));

async function ask(device: Enrolled, contentId: string, campaignId: string): Promise<RequestAnswer> {
  const body = { snapshotVersion: 1, requests: [{ contentId, campaignId }] };
  const { status, json } = await onHandsetPort('POST', '/d/v1/requests', { device, body });
  expect(status).toBe(200);
  return (json as ContentRequestsAnswer).answers[0]!;
}

async function grantFor(device: Enrolled, contentId: string, campaignId: string): Promise<string> {
  const answer = await ask(device, contentId, campaignId);
  if (!('grant' in answer)) throw new Error(`withheld by ${answer.gate}`);
  return answer.grant;
}

const bytesOf = (
  device: Enrolled,
  contentId: string,
  grant: string,
  headers: Record<string, string> = {},
  method = 'GET',
) =>
  onHandsetPort(method, `/d/v1/contents/${contentId}`, {
    device,
    headers: { authorization: `Grant ${grant}`, ...headers },
  });

describe('uploads', () => {
  it('become contents, whole and by their digest', async () => {
    const bytes = randomBytes(100_000);
    const contentId = await publish(bytes);
    const { body } = read(await admin.get(`/v1/contents/${contentId}`).expect(200));
    expect(body).toMatchObject({
      contentId,
      sha256: sha256(bytes),
      sizeBytes: 100_000,
      withdrawn: false,
      description: { sizeBytes: 100_000 },
    });
    expect(existsSync(path.join(folder, 'contents', sha256(bytes).slice(0, 2), sha256(bytes)))).toBe(true);
    expect(readdirSync(path.join(folder, 'uploads')).filter((name) => name.startsWith(contentId))).toEqual([]);
  });

  it('go on where they were torn', async () => {
    const bytes = randomBytes(50_000);
    const created = await createUpload(admin, bytes.length, `filename ${encode('a')}`).expect(201);
    const location = created.headers.location as string;
    await sendBytes(admin, location, bytes.subarray(0, 20_000)).expect(204);
    const early = await admin.post('/v1/contents', { uploadId: location.split('/').at(-1), description: described });
    expect(early.body).toMatchObject({ code: 'upload.incomplete', status: 409 });
    const head = await supertest(people).head(location).auth(admin.token, { type: 'bearer' }).set(TUS).expect(200);
    expect(head.headers['upload-offset']).toBe('20000');
    await sendBytes(admin, location, bytes.subarray(20_000), 20_000).expect(204);
    const done = await admin
      .post('/v1/contents', { uploadId: location.split('/').at(-1), description: described })
      .expect(201);
    expect(done.body).toMatchObject({ sha256: sha256(bytes) });
  });

  it('at a wrong offset are refused by the protocol, with a problem document', async () => {
    const created = await createUpload(admin, 10, `filename ${encode('a')}`).expect(201);
    const answer = await sendBytes(admin, created.headers.location as string, Buffer.alloc(5), 3).expect(409);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'upload.protocol', status: 409 });
  });

  it('with another digest than announced are refused as upload.digest', async () => {
    const bytes = randomBytes(10);
    const uploadId = await upload(bytes);
    const other = 'ab'.repeat(32);
    const answer = await admin.post('/v1/contents', { uploadId, sha256: other, description: described }).expect(422);
    expect(answer.body).toMatchObject({ code: 'upload.digest', errors: [{ pointer: '/sha256' }] });
    const created = await createUpload(admin, 10, `sha256 ${encode(other)}`).expect(201);
    await sendBytes(admin, created.headers.location as string, bytes).expect(204);
    const second = { uploadId: (created.headers.location as string).split('/').at(-1), description: described };
    expect((await admin.post('/v1/contents', second).expect(422)).body).toMatchObject({ code: 'upload.digest' });
  });

  it('published twice are one content', async () => {
    const uploadId = await upload(randomBytes(10));
    const body = { uploadId, description: described };
    const first = await admin.post('/v1/contents', body).expect(201);
    const second = await admin.post('/v1/contents', body).expect(201);
    expect(second.body).toEqual(first.body);
  });

  it.each(['../../etc/passwd', 'constructor', '__proto__', 'ü'.repeat(127)])(
    'take the name %s as a label',
    async (name) => {
      await createUpload(admin, 1, `filename ${encode(name)}`).expect(201);
      const contentId = await publish(randomBytes(3), { name });
      const { body } = read(await admin.get(`/v1/contents/${contentId}`).expect(200));
      expect(body).toMatchObject({ description: { name } });
    },
  );

  it.each(['a\0b', 'x'.repeat(300), '\u001b[31m'])('refuse the name %j as upload.name', async (name) => {
    const answer = await createUpload(admin, 1, `filename ${encode(name)}`).expect(400);
    expect(answer.body).toMatchObject({ code: 'upload.name', errors: [{ pointer: '/upload-metadata/filename' }] });
    const uploadId = await upload(randomBytes(3));
    const refused = await admin.post('/v1/contents', { uploadId, description: { ...described, name } }).expect(400);
    expect((refused.body as { errors: { pointer: string }[] }).errors[0]?.pointer).toBe('/description/name');
  });

  it('refuse a description that cannot be signed', async () => {
    const uploadId = await upload(randomBytes(3));
    const description = { ...described, attributes: { size: 1.5 } };
    const answer = await admin.post('/v1/contents', { uploadId, description }).expect(422);
    expect(answer.body).toMatchObject({
      code: 'content.attribute',
      errors: [{ pointer: '/description/attributes/size' }],
    });
  });

  it('are dropped a week after they were left lying', async () => {
    const uploadId = await upload(randomBytes(3));
    try {
      clock.offset = 8 * DAY;
      await until(async () => !existsSync(path.join(folder, 'uploads', uploadId)));
    } finally {
      clock.offset = 0;
    }
    await admin.post('/v1/contents', { uploadId, description: described }).expect(404);
  });

  it('leave no file behind whose row is gone', async () => {
    const contentId = await publish(randomBytes(10));
    const orphan = path.join(folder, 'uploads', newId());
    const young = path.join(folder, 'uploads', newId());
    for (const file of [orphan, `${orphan}.json`, young]) writeFileSync(file, 'half');
    const old = new Date(Date.now() - 8 * DAY);
    for (const file of [orphan, `${orphan}.json`]) utimesSync(file, old, old);
    try {
      clock.offset = DAY / 2;
      await until(async () => !existsSync(orphan) && !existsSync(`${orphan}.json`));
      expect(existsSync(young)).toBe(true);
    } finally {
      clock.offset = 0;
      rmSync(young);
    }
    await admin.get(`/v1/contents/${contentId}`).expect(200);
  });

  it('refuse rules that do not parse or name an unknown attribute, and keep the upload', async () => {
    const uploadId = await upload(randomBytes(3));
    const publishWith = (selector: string) =>
      admin.post('/v1/contents', { uploadId, description: described, selector });
    expect((await publishWith('device.')).body).toMatchObject({
      code: 'rule.parse',
      errors: [{ pointer: '/selector' }],
    });
    expect((await publishWith('device.nope == 1')).body).toMatchObject({ code: 'rule.unknown-attribute' });
    expect((await publishWith('!'.repeat(4_000) + 'true')).status).toBeGreaterThanOrEqual(400);
    await publishWith('true').expect(201);
  });
});

describe('campaigns', () => {
  it('are drafted, scheduled and listed, newest first', async () => {
    const contentId = await publish(randomBytes(10));
    const { campaignId, status, version } = await draft([contentId]);
    expect([status, version]).toEqual(['draft', 1]);
    const scheduled = await order(campaignId, 'schedule', {}, '"v1"').expect(200);
    expect(scheduled.body).toMatchObject({ status: 'running', version: 3 });
    const one = await admin.get(`/v1/campaigns/${campaignId}`).expect(200);
    expect(one.headers.etag).toBe('"v3"');
    const items = await until(async () => {
      const { body } = read(await admin.get('/v1/campaigns?limit=2').expect(200));
      const { items } = body as { items: CampaignAnswer[] };
      return items[0]?.campaignId === campaignId && items[0].status === 'running' && items;
    });
    expect(items[0]).toEqual(one.body);
    const contents = await admin.get('/v1/contents?limit=1').expect(200);
    expect((contents.body as { next: string | null }).next).not.toBeNull();
  });

  it('drafted again, after the answer was lost, are the same one', async () => {
    const body = { name: 'once', contents: [await publish(randomBytes(10))] };
    const send = (key: string) => admin.post('/v1/campaigns', body).set('idempotency-key', key).expect(201);
    const key = newId();
    const [first, second, other] = [await send(key), await send(key), await send(newId())].map(
      (answer) => (answer.body as CampaignAnswer).campaignId,
    );
    expect([second, other === first]).toEqual([first, false]);
    const drafted = (await records('muster.campaign')).filter(({ subject }) => subject === first);
    expect(drafted.map(({ type }) => type)).toEqual(['CampaignDrafted']);
  });

  it('need If-Match, the newest', async () => {
    const { campaignId } = await draft([await publish(randomBytes(10))]);
    const bare = await admin.post(`/v1/campaigns/${campaignId}/schedule`, {}).expect(428);
    expect(bare.body).toMatchObject({ code: 'precondition.required' });
    await order(campaignId, 'schedule', {}, '"v1"').expect(200);
    const stale = await order(campaignId, 'abort', { reason: 'r' }, '"v1"').expect(412);
    expect(stale.body).toMatchObject({ code: 'precondition.failed' });
    const { body } = read(await admin.get(`/v1/campaigns/${campaignId}`).expect(200));
    expect(body).toMatchObject({ status: 'running', version: 3 });
  });

  it.each([
    ['no content', { contents: [] }, 'campaign.without-content', '/contents'],
    ['a content that is not there', { contents: [newId()] }, 'content.unknown', '/contents/0'],
    [
      'an end before the start',
      { start: '2030-01-02T00:00:00Z', end: '2030-01-01T00:00:00+02:00' },
      'campaign.window-empty',
      '/end',
    ],
    ['a channel that is not there', { channel: 'nope' }, 'channel.unknown', '/channel'],
    ['a rule that is none', { selector: 'device.x ==' }, 'rule.parse', '/selector'],
    ['a start that is no instant', { start: 'tomorrow' }, 'validation.failed', '/start'],
    ['a field that is none', { extra: 1 }, 'validation.failed', '/extra'],
    [
      'a window in no zone',
      { windows: [{ days: [1], from: '10:00', to: '11:00', zone: 'Mars/Base' }] },
      'window.malformed',
      '/windows/0/zone',
    ],
  ])('with %s are refused and not there', async (_, change, code, pointer) => {
    const contents = [await publish(randomBytes(10))];
    const before = (await records('muster.campaign')).length;
    const answer = await admin.post('/v1/campaigns', { name: 'x', contents, ...change });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(answer.body).toMatchObject({ code, errors: [{ pointer }] });
    expect(
      (await records('muster.campaign')).filter(({ type }) => type === 'CampaignDrafted').length,
    ).toBeLessThanOrEqual(before);
  });

  it('start and end by the clock', async () => {
    const start = new Date(clock.now() + 1_500).toISOString();
    const end = new Date(clock.now() + 3_000).toISOString();
    const { campaignId } = await draft([await publish(randomBytes(10))], { start, end });
    const status = async () => ((await admin.get(`/v1/campaigns/${campaignId}`)).body as CampaignAnswer).status;
    expect((await order(campaignId, 'schedule', {}).expect(200)).body).toMatchObject({ status: 'scheduled' });
    await until(async () => (await status()) === 'running');
    await until(async () => (await status()) === 'completed');
  });

  it('repeat their commands harmlessly', async () => {
    const { campaignId } = await draft([await publish(randomBytes(10))]);
    for (const [verb, body, version] of [
      ['schedule', {}, 3],
      ['pause', { reason: 'r' }, 4],
      ['resume', {}, 5],
      ['complete', { reason: 'r' }, 7], // ended, and complete as nothing is under way
    ] as const) {
      expect((await order(campaignId, verb, body).expect(200)).body).toMatchObject({ version });
      expect(
        (
          await order(
            campaignId,
            verb === 'schedule' ? 'wave' : verb,
            verb === 'schedule' ? { waveUpTo: 10_000 } : body,
          ).expect(200)
        ).body,
      ).toMatchObject({ version });
    }
    expect((await order(campaignId, 'abort', { reason: 'r' }).expect(409)).body).toMatchObject({
      code: 'campaign.closed',
    });
  });
});

describe('the catalogue', () => {
  it('is there for the first channel, whose passphrase was shown once', async () => {
    await enrol();
    expect(shown.filter((line) => line.includes('acme/main'))).toHaveLength(1);
  });

  it('describes a content once a campaign offers it, and no more once it is paused', async () => {
    const device = await enrol();
    const contentId = await publish(randomBytes(10));
    expect(await findTarget(device, `content/${contentId}`)).toBeUndefined();
    const campaignId = await launch([contentId], { waveUpTo: 9_000, holdOut: 500, priority: 7 });
    const { custom } = await catalogued(device, contentId);
    expect(custom).toMatchObject({
      description: { name: 'radio.bin' },
      offers: [
        {
          campaign: campaignId,
          selector: 'true',
          salt: campaignId,
          waveUpTo: 9_000,
          holdOut: 500,
          end: null,
          windows: [],
          priority: 7,
        },
      ],
    });
    await order(campaignId, 'pause', { reason: 'r' }).expect(200);
    await until(async () => (await findTarget(device, `content/${contentId}`)) === undefined);
  });

  it('answers an unchanged poll by 304, and records who asked, why and for what', async () => {
    const device = await enrol();
    const first = await onHandsetPort('GET', `${device.tuf}timestamp.json`, {
      device,
      headers: { 'muster-trigger': 'network;v=1' },
    });
    expect(first.status).toBe(200);
    expect(Number(first.headers['muster-interval'])).toBeGreaterThanOrEqual(60); // longer while the process is busy
    const etag = String(first.headers.etag);
    const headers = { 'if-none-match': etag, 'muster-trigger': 'boot;v=1' };
    const second = await onHandsetPort('GET', `${device.tuf}timestamp.json`, { device, headers });
    expect([second.status, second.bytes.length, second.headers.etag]).toEqual([304, 0, etag]);
    expect(second.headers['muster-inbox']).toBe(first.headers['muster-inbox']);
    const polls = await until(async () => {
      const all = (await records('muster.device')).filter(({ type }) => type === 'PollsRecorded');
      const mine = all
        .flatMap(({ data }) => unpackPolls(data as Parameters<typeof unpackPolls>[0]))
        .filter(({ deviceNo }) => deviceNo === device.deviceNo);
      return mine.length >= 2 && mine;
    });
    expect(polls.map(({ rule, answer }) => [rule, answer])).toEqual([
      ['network;v=1', 'sent'],
      ['boot;v=1', 'not-modified'],
    ]);
    const catalogues = (await records('muster.campaign')).filter(({ type }) => type === 'CataloguePublished');
    expect(catalogues.map(({ data }) => (data as { digest: string }).digest)).toContain(polls[0]!.digest);
  });

  it('records which rules a handset was given: at enrolment, and once when it fetches newer ones', async () => {
    const device = await enrol();
    const delivered = async () =>
      (await records('muster.handset'))
        .filter(({ subject, type }) => subject === device.deviceId && type === 'RulesDelivered')
        .map(({ data }) => (data as { version: number }).version);
    const { version } = (await admin.get('/v1/rules/main')).body as { version: number };
    expect(await delivered()).toEqual([version]);
    const next = { version: version + 1, rules: [{ id: 'boot', on: ['boot'] }] };
    await admin.put('/v1/rules/main', next).expect(200);
    const { path: target, hashes } = await until(() => findTarget(device, `rules/${version + 1}`));
    const name = target.replace('rules/', `rules/${hashes.sha256}.`);
    const fetched = () => onHandsetPort('GET', `${device.tuf}targets/${name}`, { device });
    expect((await onHandsetPort('GET', `${device.tuf}targets/${name}`)).status).toBe(200); // nobody knows by whom
    expect(await delivered()).toEqual([version]);
    expect([(await fetched()).status, (await fetched()).status]).toEqual([200, 200]);
    expect(await delivered()).toEqual([version, version + 1]);
  });

  it('is read without a certificate and records nothing then', async () => {
    const { tuf } = await enrol();
    const answer = await onHandsetPort('GET', `${tuf}timestamp.json`);
    expect([answer.status, answer.headers['muster-inbox']]).toEqual([200, undefined]);
    const root = await onHandsetPort('GET', `${tuf}1.root.json`);
    expect(root.headers['cache-control']).toContain('immutable');
  });

  it.each([
    '/tuf/nobody/main/timestamp.json',
    '/tuf/acme/nope/timestamp.json',
    '/tuf/acme/main/99.root.json',
    '/tuf/acme/main/targets/content/x',
    "/tuf/a'%20or/main/1.root.json",
    '/tuf/acme/main/..%2f..%2fkek',
  ])('has no %s', async (url) => {
    const { status, json } = await onHandsetPort('GET', url);
    expect([status, (json as { code: string }).code]).toEqual([404, 'tuf.not-found']);
  });

  it('never serves the bytes of a content', async () => {
    const bytes = randomBytes(10);
    const device = await enrol();
    const contentId = await publish(bytes);
    await launch([contentId]);
    await catalogued(device, contentId);
    for (const name of [contentId, `${sha256(bytes)}.${contentId}`])
      expect((await onHandsetPort('GET', `${device.tuf}targets/content/${name}`)).status).toBe(404);
  });

  it('brings the next rules and schema', async () => {
    const device = await enrol();
    const version = ((await admin.get('/v1/schema').expect(200)).body as { version: number }).version;
    const names = { model: { type: 'string' }, [`extra${version}`]: { type: 'int' } };
    await admin.put('/v1/schema', { version: version + 1, attributes: names }).expect(200);
    const rules = (await admin.get('/v1/rules/main').expect(200)).body as { version: number; rules: object[] };
    expect(JSON.parse(device.rules)).toEqual(rules);
    const next = { version: rules.version + 1, rules: [{ id: 'wifi', on: ['network'], when: 'device.model != ""' }] };
    await admin.put('/v1/rules/main', next).expect(200);
    const target = await until(() => findTarget(device, `rules/${next.version}`));
    const served = await onHandsetPort('GET', `${device.tuf}targets/rules/${target.hashes.sha256}.${next.version}`);
    expect(served.json).toEqual(next);
    expect(await findTarget(device, `schema/${version + 1}`)).toBeDefined();
    expect((await admin.put('/v1/rules/main', { ...next, version: 99 }).expect(409)).body).toMatchObject({
      code: 'rules.not-next',
    });
  });
});

describe('a poll of which all is known', () => {
  let device: Enrolled;
  let took: boolean[];
  beforeAll(async () => (device = await enrol()));
  beforeEach(() => {
    const shortCuts = server.app.get(ShortCuts);
    const take = shortCuts.take.bind(shortCuts);
    took = [];
    vi.spyOn(shortCuts, 'take').mockImplementation((...args) => {
      took.push(take(...args));
      return took.at(-1)!;
    });
  });
  afterEach(() => void vi.restoreAllMocks());

  const at = '/tuf/acme/main/timestamp.json';
  /** The same route for the router, and an address that the short cut does not know. */
  const ordinary = '/%74uf/acme/main/timestamp.json';

  /** Asks until it is answered at once. */
  const pollShortly = (asking: Asking) =>
    until(async () => {
      const answer = await onHandsetPort('GET', at, asking);
      return took.at(-1) && answer;
    });
  const inboxOf = async (by: Enrolled) => (await onHandsetPort('GET', at, { device: by })).headers['muster-inbox'];
  const pollsOf = async ({ deviceNo }: Enrolled) =>
    (await records('muster.device'))
      .filter(({ type }) => type === 'PollsRecorded')
      .flatMap(({ data }) => unpackPolls(data as Parameters<typeof unpackPolls>[0]))
      .filter((poll) => poll.deviceNo === deviceNo);

  it.each([
    ['nobody', 'nothing'],
    ['nobody', 'it'],
    ['a device', 'nothing'],
    ['a device', 'it'],
    ['a device', 'it among others'],
    ['a device of another channel', 'it'],
  ])('is answered as the ordinary route answers, for %s who holds %s', async (who, held) => {
    if (who.includes('channel')) await admin.post('/v1/channels', { channel: 'gamma' });
    const by =
      { nobody: undefined, 'a device': device }[who] ?? (who === 'nobody' ? undefined : await enrol(admin, 'gamma'));
    const etag = String((await onHandsetPort('GET', at)).headers.etag);
    const conditions = {
      nothing: {},
      it: { 'if-none-match': etag },
      'it among others': { 'if-none-match': `"x", W/${etag}` },
    };
    const asking = {
      device: by,
      headers: { ...conditions[held as keyof typeof conditions], 'muster-trigger': 'boot;v=7' },
    };
    const plain = ({ status, headers: { date: _, ...headers }, bytes }: Answer) => ({ status, headers, bytes });
    const shortly = plain(await pollShortly(asking));
    expect(shortly).toEqual(plain(await onHandsetPort('GET', ordinary, asking)));
    expect(took.at(-1)).toBe(false);
    expect([shortly.status, shortly.headers['muster-inbox'] !== undefined]).toEqual([
      held === 'nothing' ? 200 : 304,
      who === 'a device',
    ]);
  });

  it('is recorded and counted once, whoever answers', async () => {
    const counted = async () => {
      const { text } = await supertest(people).get('/metrics').expect(200);
      const lines = text
        .split('\n')
        .filter((line) => line.startsWith('muster_http_request_seconds_count') && line.includes('timestamp.json'));
      return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    };
    const own = await enrol();
    const before = await counted();
    took = [];
    const headers = { 'muster-trigger': 'boot;v=7' };
    await onHandsetPort('GET', ordinary, { device: own, headers });
    await pollShortly({ device: own, headers });
    for (const trigger of ['network;v=2', 'no trigger'])
      await pollShortly({ device: own, headers: { 'muster-trigger': trigger } });
    await until(async () => (await counted()) - before === took.length);
    expect(took.filter(Boolean)).toHaveLength(3);
    const polls = await until(async () => {
      const found = await pollsOf(own);
      return found.length >= took.length && found;
    });
    expect(polls).toHaveLength(took.length);
    expect([...new Set(polls.map(({ rule }) => rule))]).toEqual(['boot;v=7', 'network;v=2', 'unknown;v=0']);
    expect(new Set(polls.map(({ answer }) => answer))).toEqual(new Set(['sent']));
  });

  it.each([
    ['HEAD', at, {}, 200],
    ['POST', at, {}, 404],
    ['GET', `${at}?x`, {}, 200],
    ['GET', '/tuf/nobody/main/timestamp.json', {}, 404],
    ['GET', at, { 'content-length': '0' }, 200],
    ['GET', at, { 'content-encoding': 'gzip' }, 415],
  ])(
    'is left to the ordinary route when it is asked by %s %s %j',
    async (method, url, headers: Asking['headers'], expected) => {
      await pollShortly({});
      const { status } = await onHandsetPort(method, url, { headers });
      expect(took.at(-1)).toBe(false);
      expect(status).toBe(expected);
    },
  );

  it('is no more the device’s as soon as it is revoked here', async () => {
    const own = await enrol();
    expect((await pollShortly({ device: own })).headers['muster-inbox']).toBeDefined();
    await admin.post(`/v1/devices/${own.deviceId}/revoke`, { reason: 'lost' }).expect(200);
    expect(await inboxOf(own)).toBeUndefined();
    expect((await pollShortly({ device: own })).headers['muster-inbox']).toBeUndefined();
  });

  it('tells what another process has done to inbox and key a second before', async () => {
    const own = await enrol();
    const empty = (await pollShortly({ device: own })).headers['muster-inbox'];
    const other = database.database('muster_campaign');
    await other.inTenant('acme', (tx) =>
      tx.query(
        'insert into ops.inbox_item (tenant, device_id, item_id, body, created_at) values ($1, $2, $3, $4, now())',
        ['acme', own.deviceId, newId(), { id: newId(), kind: 'cancel', campaignId: newId(), contentId: newId() }],
      ),
    );
    await sleep(1_000);
    const told = await inboxOf(own);
    expect(told).not.toBe(empty);
    expect((await onHandsetPort('GET', '/d/v1/inbox', { device: own })).headers.etag).toBe(told);
    expect((await pollShortly({ device: own })).headers['muster-inbox']).toBe(told);
    await other.inTenant('acme', (tx) =>
      tx.query('update ops.device_key set retired_at = now() where tenant = $1 and device_id = $2', [
        'acme',
        own.deviceId,
      ]),
    );
    await sleep(1_000);
    expect(await inboxOf(own)).toBeUndefined();
  });

  it('runs on a resumed TLS session from the second connection on, and is the device’s all the same', async () => {
    const resumed: boolean[] = [];
    const transport = httpsTransport({
      origin: `https://127.0.0.1:${handsets}`,
      ca,
      certificate: device.certificate,
      key: device.key.privateKeyPem,
      onExchange: ({ isResumed }) => resumed.push(isResumed),
    });
    // More connections than a full handshake gives tickets: each must be used again.
    for (let i = 0; i < 6; i += 1) {
      const answer = await transport.send({
        method: 'GET',
        url: at,
        headers: { connection: 'close' },
        maxBytes: 16_384,
      });
      for await (const part of answer.body) expect(part.length).toBeGreaterThan(0);
      expect(answer.headers['muster-inbox']).toBeDefined();
    }
    transport.close();
    expect(resumed).toEqual([false, true, true, true, true, true]);
  });
});

describe('the exchange', () => {
  let device: Enrolled;
  let contentId: string;
  let campaignId: string;
  let bytes: Buffer;
  beforeAll(async () => {
    device = await enrol();
    bytes = randomBytes(200_000);
    contentId = await publish(bytes);
    campaignId = await launch([contentId]);
  });

  it('gives a grant, and for it the bytes', async () => {
    const answer = await ask(device, contentId, campaignId);
    expect(answer).toMatchObject({
      contentId,
      campaignId,
      sizeBytes: 200_000,
      sha256: sha256(bytes),
      url: `/d/v1/contents/${contentId}`,
    });
    const { status, headers, bytes: got } = await bytesOf(device, contentId, (answer as { grant: string }).grant);
    expect([status, sha256(got)]).toEqual([200, sha256(bytes)]);
    expect(headers['repr-digest']).toBe(`sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`);
    const types = (await factsOf(device)).map(({ type }) => type);
    expect(types).toEqual(expect.arrayContaining(['ContentRequested', 'GrantIssued']));
  });

  it('sends ranges', async () => {
    const grant = await grantFor(device, contentId, campaignId);
    const part = await bytesOf(device, contentId, grant, { range: 'bytes=100000-' });
    expect([part.status, part.headers['content-range']]).toEqual([206, 'bytes 100000-199999/200000']);
    expect(part.bytes.equals(bytes.subarray(100_000))).toBe(true);
    const etag = String(part.headers.etag);
    expect((await bytesOf(device, contentId, grant, { range: 'bytes=5-9', 'if-range': etag })).status).toBe(206);
    expect((await bytesOf(device, contentId, grant, { range: 'bytes=5-9', 'if-range': '"other"' })).status).toBe(200);
    const beyond = await bytesOf(device, contentId, grant, { range: 'bytes=200000-' });
    expect([beyond.status, beyond.headers['content-range']]).toEqual([416, 'bytes */200000']);
    const head = await bytesOf(device, contentId, grant, {}, 'HEAD');
    expect([head.status, head.headers['content-length'], head.headers.etag, head.bytes.length]).toEqual([
      200,
      '200000',
      etag,
      0,
    ]);
  });

  it('refuses a grant of another device, an expired one and none', async () => {
    const grant = await grantFor(device, contentId, campaignId);
    const other = await enrol();
    const foreign = await bytesOf(other, contentId, grant);
    expect([foreign.status, (foreign.json as { code: string }).code]).toEqual([403, 'grant.foreign']);
    const none = await onHandsetPort('GET', `/d/v1/contents/${contentId}`, { device });
    expect([none.status, (none.json as { code: string }).code]).toEqual([401, 'grant.missing']);
    try {
      clock.offset = 601_000;
      const late = await bytesOf(device, contentId, grant);
      expect([late.status, (late.json as { code: string }).code]).toEqual([401, 'grant.expired']);
    } finally {
      clock.offset = 0;
    }
    const uncertified = await onHandsetPort('GET', `/d/v1/contents/${contentId}`, {
      headers: { authorization: `Grant ${grant}` },
    });
    expect(uncertified.status).toBe(401);
    // Each refusal says which credential is missing.
    expect(uncertified.headers['www-authenticate']).toBe('ClientCertificate');
    expect(none.headers['www-authenticate']).toBe('Grant');
  });

  it('names the gate that holds', async () => {
    const gateOf = async (content: string, campaign: string) =>
      ((await ask(device, content, campaign)) as { gate?: string }).gate;
    expect(await gateOf(newId(), campaignId)).toBe('not-offered');
    expect(await gateOf(contentId, newId())).toBe('not-offered');
    const own = await publish(randomBytes(10));
    expect(await gateOf(own, await launch([own], { waveUpTo: 0 }))).toBe('wave');
    expect(await gateOf(own, await launch([own], { holdOut: 10_000 }))).toBe('hold-out');
    expect(await gateOf(own, await launch([own], { mode: 'server' }))).toBe('not-offered');
    const paused = await launch([own]);
    await order(paused, 'pause', { reason: 'r' }).expect(200);
    expect(await gateOf(own, paused)).toBe('paused');
    const later = await draft([own], { start: new Date(Date.now() + DAY).toISOString() });
    await order(later.campaignId, 'schedule', {}).expect(200);
    expect(await gateOf(own, later.campaignId)).toBe('not-started');
    const live = await launch([own]);
    await admin.post(`/v1/contents/${own}/withdraw`, { reason: 'wrong build' }).expect(200);
    expect(await gateOf(own, live)).toBe('withdrawn');
    const recorded = (await factsOf(device))
      .filter(({ type }) => type === 'OfferWithheld')
      .map(({ data }) => (data as { gate: string }).gate);
    // What was never offered leaves no trace: a device could make up as many identifiers as it likes.
    expect([...new Set(recorded)].sort()).toEqual(['hold-out', 'not-started', 'paused', 'wave', 'withdrawn']);
  });

  it('stops running transfers by a hard pause, not by a soft one', async () => {
    const own = await publish(randomBytes(10));
    const running = await launch([own]);
    const grant = await grantFor(device, own, running);
    await order(running, 'pause', { reason: 'r', kind: 'soft' }).expect(200);
    expect((await bytesOf(device, own, grant)).status).toBe(200);
    await order(running, 'pause', { reason: 'r', kind: 'hard' }).expect(200);
    expect((await bytesOf(device, own, grant)).json).toMatchObject({ code: 'grant.revoked' });
  });

  /** More than all buffers between server and handset hold. */
  const size = 48 * 1024 * 1024;

  /** Reads nothing behind the first bytes until `after` has come about. @returns bytes that came, and whether they were all */
  function readHaltingly(by: Enrolled, content: string, grant: string, after: () => Promise<unknown>) {
    const tls = { cert: by.certificate, key: by.key.privateKeyPem, ca, agent: new Agent({ maxCachedSessions: 0 }) };
    const headers = { authorization: `Grant ${grant}` };
    const at = { host: '127.0.0.1', port: handsets, path: `/d/v1/contents/${content}`, headers, ...tls };
    return new Promise<{ got: number; complete: boolean }>((resolve, reject) => {
      const request = httpsRequest(at, (response) => {
        let got = 0;
        response.once('data', () => {
          response.pause();
          after().then(() => response.resume(), reject);
        });
        response.on('data', (part: Buffer) => (got += part.length));
        response.on('error', () => undefined); // cut off: what follows is `close`
        response.on('close', () => resolve({ got, complete: response.complete }));
      });
      request.on('error', reject);
      request.end();
    });
  }

  it.each([
    ['a hard pause', (_: Enrolled, campaign: string) => order(campaign, 'pause', { reason: 'r', kind: 'hard' })],
    ['a recall', (_: Enrolled, campaign: string) => order(campaign, 'abort', { reason: 'r', disposition: 'recall' })],
    [
      'a revocation',
      ({ deviceId }: Enrolled) => admin.post(`/v1/devices/${deviceId}/revoke`, { reason: 'lost' }).set('if-match', '*'),
    ],
  ])('cuts a range in flight off after %s', async (_, stop) => {
    const own = await publish(randomBytes(size));
    const running = await launch([own]);
    const reader = await enrol();
    const grant = await grantFor(reader, own, running);
    const { got, complete } = await readHaltingly(reader, own, grant, async () => {
      expect((await stop(reader, running)).status).toBe(200);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    });
    expect([complete, got < size]).toEqual([false, true]); // what was on its way has come, and no more
  });

  it('sends a range to its end when nobody stops it', async () => {
    const own = await publish(randomBytes(size));
    const grant = await grantFor(device, own, await launch([own]));
    const wait = () => new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(await readHaltingly(device, own, grant, wait)).toEqual({ got: size, complete: true });
  });

  it('takes declines with a reason from the list, for what was offered', async () => {
    const decline = (ref: object, reason = 'no-fit') =>
      onHandsetPort('POST', '/d/v1/declines', { device, body: { snapshotVersion: 1, declines: [{ ...ref, reason }] } });
    expect((await decline({ contentId, campaignId })).status).toBe(204);
    expect((await factsOf(device)).find(({ type }) => type === 'ContentDeclined')?.data).toEqual({
      contentId,
      campaignId,
      reason: 'no-fit',
      snapshotVersion: 1,
    });
    const before = (await factsOf(device)).length;
    expect((await decline({ contentId: newId(), campaignId })).json).toMatchObject({
      code: 'offer.unknown',
      errors: [{ pointer: '/declines/0' }],
    });
    expect((await decline({ contentId, campaignId }, 'device.model')).json).toMatchObject({
      errors: [{ pointer: '/declines/0/reason' }],
    });
    expect((await factsOf(device)).length).toBe(before);
  });

  it('refuses bodies over their limit', async () => {
    const { status } = await onHandsetPort('POST', '/d/v1/requests', { device, body: `{"x":"${'a'.repeat(70_000)}"}` });
    expect(status).toBe(413);
  });
});

describe('facts of a handset', () => {
  const fact = (n: number, type = 'TriggerFired', data: object = { rule: 'boot', version: 1, on: 'boot' }) => ({
    seq: { epoch: 1, n },
    type,
    occurredAt: '2026-11-24T09:00:00Z',
    data,
  });
  const report = (device: Enrolled, facts: object[]) =>
    onHandsetPort('POST', '/d/v1/facts', { device, body: { facts } });

  it('are kept once, however often they are sent', async () => {
    const device = await enrol();
    expect((await report(device, [fact(1), fact(2)])).json).toEqual({ accepted: { epoch: 1, n: 2 } });
    expect((await report(device, [fact(2), fact(1)])).json).toEqual({ accepted: { epoch: 1, n: 2 } });
    expect((await report(device, [fact(2), fact(3)])).json).toEqual({ accepted: { epoch: 1, n: 3 } });
    const kept = (await factsOf(device)).map(({ sequence }) => sequence?.n);
    expect(kept).toEqual([1, 2, 3]);
  });

  it('sent at once are still kept once', async () => {
    const device = await enrol();
    await Promise.all(Array.from({ length: 8 }, () => report(device, [fact(1), fact(2), fact(3)])));
    expect((await factsOf(device)).map(({ sequence }) => sequence?.n)).toEqual([1, 2, 3]);
  });

  it.each([
    ['a type of the server', fact(1, 'GrantIssued', {}), 'facts.unknown-type', '/facts/0/type'],
    [
      'another field, which could carry an attribute',
      fact(1, 'TriggerFired', { rule: 'boot', version: 1, on: 'boot', model: 'X' }),
      'facts.malformed',
      '/facts/0/data/model',
    ],
    ['no sequence', { ...fact(1), seq: undefined }, 'validation.failed', '/facts/0/seq'],
    ['an instant that is none', { ...fact(1), occurredAt: 'now' }, 'validation.failed', '/facts/0/occurredAt'],
    ['the year 0', { ...fact(1), occurredAt: '0000-01-01T00:00:00Z' }, 'validation.failed', '/facts/0/occurredAt'],
    [
      'a NUL, which no read model can store',
      fact(1, 'TriggerFired', { rule: 'bo\0ot', version: 1, on: 'boot' }),
      'request.malformed',
      '/facts/0/data/rule',
    ],
    ['an epoch not given', { ...fact(1), seq: { epoch: 2, n: 1 } }, 'facts.malformed', '/facts/0/seq/epoch'],
  ])('with %s are refused', async (_, bad, code, pointer) => {
    const device = await enrol();
    const { json } = await report(device, [bad]);
    expect(json).toMatchObject({ code });
    expect((json as { errors: object[] }).errors).toContainEqual(expect.objectContaining({ pointer }));
    expect(await factsOf(device)).toEqual([]);
  });

  it('about what was never offered on the channel are accepted, and leave no trace', async () => {
    const device = await enrol();
    const contentId = await publish(randomBytes(10));
    const offered = { contentId, campaignId: await launch([contentId]) };
    const made = { contentId: newId(), campaignId: offered.campaignId };
    const drafted = { contentId, campaignId: (await draft([contentId])).campaignId };
    const facts = [made, drafted, offered].map((ref, i) => fact(i + 1, 'TransferStarted', ref));
    expect((await report(device, facts)).json).toEqual({ accepted: { epoch: 1, n: 3 } });
    expect((await factsOf(device)).map(({ data }) => data)).toEqual([offered]);
  });

  it('are bounded for each device, with the time to wait', async () => {
    const [device, other] = [await enrol(), await enrol()];
    let n = 0;
    const batch = () => Array.from({ length: 250 }, () => fact((n += 1)));
    // A full queue is taken at once.
    while (n < 10_000) expect((await report(device, batch())).status).toBe(200);
    const answers = [];
    for (let i = 0; i < 12; i += 1) answers.push(await report(device, batch()));
    const { status, json, headers } = answers.at(-1)!;
    expect([status, (json as { code: string }).code]).toEqual([429, 'facts.too-many']);
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    expect((await report(other, [fact(1)])).status).toBe(200);
  }, 60_000);

  it('order the applications of a content one after the other, each once', async () => {
    const device = await enrol();
    const bytes = randomBytes(10);
    const contentId = await publish(bytes, { applications: ['first', 'second'] });
    const campaignId = await launch([contentId]);
    await grantFor(device, contentId, campaignId);
    const inbox = async () => (await onHandsetPort('GET', '/d/v1/inbox', { device })).json as Inbox;
    const empty = await onHandsetPort('GET', `${device.tuf}timestamp.json`, { device });
    const completed = { contentId, campaignId, bytes: 10, sha256: sha256(bytes) };
    await report(device, [fact(1, 'TransferCompleted', completed), fact(2, 'TransferCompleted', completed)]);
    const [first] = await until(async () => {
      const { items } = await inbox();
      return items.length > 0 && items;
    });
    expect(first).toMatchObject({ kind: 'process', application: 'first', order: 0 });
    const told = await onHandsetPort('GET', `${device.tuf}timestamp.json`, { device });
    expect(told.headers['muster-inbox']).not.toBe(empty.headers['muster-inbox']);
    const etag = String(told.headers['muster-inbox']);
    expect((await onHandsetPort('GET', '/d/v1/inbox', { device, headers: { 'if-none-match': etag } })).status).toBe(
      304,
    );
    const acknowledged = { contentId, campaignId, application: 'first', outcome: 'done', inboxId: first!.id };
    await report(device, [
      fact(3, 'ProcessingAcknowledged', acknowledged),
      fact(4, 'ProcessingAcknowledged', acknowledged),
    ]);
    const second = await until(async () =>
      (await inbox()).items.find((item) => item.kind === 'process' && item.order === 1),
    );
    expect(second).toMatchObject({ application: 'second' });
    await report(device, [
      fact(5, 'ProcessingAcknowledged', { ...acknowledged, application: 'second', inboxId: second.id }),
    ]);
    await until(async () => (await inbox()).items.length === 0);
    const ordered = (await factsOf(device)).filter(({ type }) => type === 'ProcessingOrdered');
    expect(ordered.map(({ data }) => (data as { application: string }).application)).toEqual(['first', 'second']);
  });

  it('a recall cancels what was granted', async () => {
    const device = await enrol();
    const contentId = await publish(randomBytes(10));
    const campaignId = await launch([contentId]);
    const grant = await grantFor(device, contentId, campaignId);
    await order(campaignId, 'abort', { reason: 'r', disposition: 'recall' }).expect(200);
    const items = await until(async () => {
      const { items } = (await onHandsetPort('GET', '/d/v1/inbox', { device })).json as Inbox;
      return items.length > 0 && items;
    });
    expect(items).toMatchObject([{ kind: 'cancel', campaignId, contentId }]);
    expect((await bytesOf(device, contentId, grant)).json).toMatchObject({ code: 'grant.revoked' });
  });
});

describe('channels and keys', () => {
  it('rotate under the eyes of a handset, by the passphrase that was shown once', async () => {
    const made = await admin.post('/v1/channels', { channel: 'beta' }).expect(201);
    const { passphrase } = made.body as { passphrase: string };
    expect((await admin.post('/v1/channels', { channel: 'beta' }).expect(409)).body).toMatchObject({
      code: 'channel.exists',
    });
    const device = await enrol(admin, 'beta');
    const rotate = (role: string, by?: string) => admin.post('/v1/keys/beta/rotate', { role, passphrase: by });
    expect((await rotate('snapshot', 'not it').expect(403)).body).toMatchObject({ code: 'keys.passphrase' });
    for (const role of ['timestamp', 'catalogue', 'targets', 'root']) await rotate(role, passphrase).expect(200);
    await rotate('grant').expect(200);
    expect(await findTarget(device, 'policy/grant-keys')).toBeDefined();
    const { body } = read(await admin.get('/v1/keys/beta').expect(200));
    const status = (body as { items: { role: string; version: number; due: boolean; keyIds: string[] }[] }).items;
    expect(status.find(({ role }) => role === 'root')).toMatchObject({ version: 4, due: false });
    expect(status.find(({ role }) => role === 'grant')?.keyIds).toHaveLength(2);
    const audited = (await records('muster.audit')).map(({ data }) => (data as { operation: string }).operation);
    expect(audited.filter((operation) => operation === 'keys.rotate')).toHaveLength(5);
  }, 60_000);

  it('renew what is signed online before it expires', async () => {
    const device = await enrol();
    const before = String((await onHandsetPort('GET', `${device.tuf}timestamp.json`)).headers.etag);
    try {
      clock.offset = 13 * 3_600_000;
      await until(
        async () => String((await onHandsetPort('GET', `${device.tuf}timestamp.json`)).headers.etag) !== before,
      );
      clock.offset = 40 * DAY;
      await until(() => findTarget(device, 'policy/grant-keys').catch(() => undefined));
    } finally {
      clock.offset = 0;
    }
  });
});

describe('another tenant', () => {
  it('finds none of it', async () => {
    const administrator = { email: 'root@other.test', name: 'R', password: PASSWORD };
    await admin.post('/v1/tenants', { tenant: 'other', name: 'Other', administrator }).expect(201);
    const other = await login('other', 'root@other.test');
    const contentId = await publish(randomBytes(10));
    const { campaignId } = await draft([contentId]);
    const uploadId = await upload(randomBytes(10));
    await other.get(`/v1/contents/${contentId}`).expect(404);
    await other.post(`/v1/contents/${contentId}/withdraw`, { reason: 'r' }).expect(404);
    await other.get(`/v1/campaigns/${campaignId}`).expect(404);
    await order(campaignId, 'schedule', {}, '*', other).expect(404);
    await order(campaignId, 'schedule', {}, '"v1"', other).expect(404);
    await other.post('/v1/contents', { uploadId, description: described }).expect(404);
    await supertest(people).head(`/v1/uploads/${uploadId}`).auth(other.token, { type: 'bearer' }).set(TUS).expect(404);
    const device = await enrol(other);
    const live = await launch([contentId]);
    expect(await ask(device, contentId, live)).toMatchObject({ gate: 'not-offered' });
    const own = await enrol();
    const grant = await grantFor(own, contentId, live);
    expect((await bytesOf(device, contentId, grant)).status).toBeGreaterThanOrEqual(401);
    expect(((await other.get('/v1/contents').expect(200)).body as { items: object[] }).items).toEqual([]);
  }, 60_000);
});
