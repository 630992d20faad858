import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import type { TLSSocket } from 'node:tls';
import path from 'node:path';
import { Controller, Get, Module, UseGuards } from '@nestjs/common';
import supertest from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LIMITS, type EnrolAnswer } from '#device-protocol/index.js';
import { Database, eventCatalog, type EventRecord } from '#event-log/index.js';
import { EventLogModule, eventLogMigrations, TailLog } from '#event-log/nest/event-log.module.js';
import { auditDefinitions, handsetDefinitions } from '#identity/events.js';
import { fingerprintOf, permits, type Principal } from '#identity/index.js';
import {
  Bootstrap,
  Caller,
  CertificateAuthority,
  Device,
  DeviceGuard,
  type DeviceIdentity,
  ENROL_CATALOGUE,
  IdentityModule,
  identityMigrations,
  Needs,
  NeedsInDomain,
  PeopleGuard,
} from '#identity/nest/identity.module.js';
import { type TestKey, testKey } from '#identity/testing.js';
import { type Log, type LogFields, newId } from '#runtime/index.js';
import { createServer, type MusterServer, RuntimeModule } from '#runtime/nest/runtime.module.js';
import { selfSigned } from '../support/certificate.js';
import { type TestDatabase, testDatabase } from '../support/database.js';

const PASSWORD = 'correct horse battery';
const MATERIAL = { tuf: '/tuf/acme/main/', root: '{"signed":{}}', rules: '{"version":1}', intervalSeconds: 60 };

/** Moved by the test of a catalogue that is not there yet. */
let material = () => MATERIAL;

@Controller('d/v1/whoami')
@UseGuards(DeviceGuard)
class WhoAmI {
  @Get()
  who(@Device() device: DeviceIdentity): DeviceIdentity {
    return device;
  }
}

@Controller('v1/probe')
@UseGuards(PeopleGuard)
class Probe {
  @Get('unnamed')
  unnamed(): string {
    return 'nobody reads this';
  }

  @Get('tenant')
  @Needs('content:read')
  tenant(): string {
    return 'of the tenant';
  }

  @Get('domain')
  @NeedsInDomain('content:read')
  domain(@Caller() caller: Principal): { mine: boolean; other: boolean } {
    const may = (domain: string) => permits(caller, 'content:read', domain);
    return { mine: may('A000000151'), other: may('A000000152') };
  }
}

@Module({
  controllers: [Probe, WhoAmI],
  providers: [{ provide: ENROL_CATALOGUE, useValue: { material: async () => material() } }],
})
class Around {}

/** Everything that is logged while these tests run. */
const logged: string[] = [];
const line = (event: string, fields?: LogFields) => void logged.push(JSON.stringify([event, fields]));
const log: Log = { debug: line, info: line, warn: line, error: line };
/** Everything secret that was seen meanwhile. */
const secrets = new Set<string>([PASSWORD]);

const clock = { offset: 0, now: () => Date.now() + clock.offset };
let database: TestDatabase;
let server: MusterServer;
let folder: string;
let people: string;
let handsets: number;
let ca: string;

beforeAll(async () => {
  database = await testDatabase([...eventLogMigrations, ...identityMigrations]);
  folder = mkdtempSync(path.join(tmpdir(), 'muster-identity-'));
  const urls = {
    actor: database.url('muster_campaign'),
    tail: database.url('muster_tail'),
    projector: database.url('muster_projector'),
    insight: database.url('muster_insight'),
  };
  const catalog = eventCatalog([handsetDefinitions, auditDefinitions]);
  @Module({
    imports: [
      RuntimeModule.forRoot({ clock, log }),
      EventLogModule.forRoot({ urls, kekFile: path.join(folder, 'kek'), catalog }),
      IdentityModule.forRoot(),
      Around,
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
  const first = { tenant: 'acme', email: 'root@acme.test', password: PASSWORD };
  expect(await server.app.get(Bootstrap).bootstrapAdministrator(first)).toBe(true);
});
afterAll(async () => {
  await server.close();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

const as = (token: string) => ({
  get: (url: string) => supertest(people).get(url).auth(token, { type: 'bearer' }),
  post: (url: string, body?: object) => supertest(people).post(url).auth(token, { type: 'bearer' }).send(body),
  put: (url: string, body: object) => supertest(people).put(url).auth(token, { type: 'bearer' }).send(body),
  patch: (url: string, body: object) => supertest(people).patch(url).auth(token, { type: 'bearer' }).send(body),
  del: (url: string) => supertest(people).delete(url).auth(token, { type: 'bearer' }),
});
type As = ReturnType<typeof as>;

async function login(tenant: string, email: string, password = PASSWORD): Promise<As & { token: string }> {
  const answer = await supertest(people).post('/v1/sessions').send({ tenant, email, password }).expect(201);
  const { token } = answer.body as { token: string };
  secrets.add(token);
  return { ...as(token), token };
}
const root = () => login('acme', 'root@acme.test');

async function user(admin: As, roles: string[], email = `${roles.join('-') || 'none'}-${Math.random()}@acme.test`) {
  const body = { email, name: 'N', password: PASSWORD, roles };
  const answer = await admin.post('/v1/users', body).expect(201);
  return { id: (answer.body as { id: string }).id, email };
}

/** The body is what the test says it is, not `any`. */
const read = ({ body }: { body: unknown }): { body: unknown } => ({ body });

interface DeviceAnswer {
  status: number;
  body: Record<string, unknown>;
  text: string;
  /** By a TLS ticket. */
  isResumed: boolean;
  /** On a connection that was open. */
  isReused: boolean;
}

/** A request on the handset's port, with the client certificate and key given; trusts our CA alone. */
function onHandsetPort(
  method: string,
  url: string,
  {
    body,
    tls = {},
    headers = {},
    kept,
  }: { body?: object; tls?: { cert?: string; key?: string }; headers?: object; kept?: Agent } = {},
): Promise<DeviceAnswer> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const agent = kept ?? new Agent({ maxCachedSessions: 0 });
  const json =
    text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
  const options = { host: '127.0.0.1', port: handsets, path: url, method, ca, ...tls, agent };
  return new Promise((resolve, reject) => {
    const request = httpsRequest({ ...options, headers: { ...headers, ...json } }, (response) => {
      const parts: Buffer[] = [];
      const isResumed = (response.socket as TLSSocket).isSessionReused();
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => {
        if (kept === undefined) agent.destroy();
        const answered = Buffer.concat(parts).toString('utf8');
        const isJson = /json/.test(response.headers['content-type'] ?? '');
        const parsed = isJson ? (JSON.parse(answered) as Record<string, unknown>) : {};
        resolve({
          status: response.statusCode ?? 0,
          body: parsed,
          text: answered,
          isResumed,
          isReused: request.reusedSocket,
        });
      });
    });
    request.on('error', reject);
    request.end(text);
  });
}

interface Enrolled extends EnrolAnswer {
  key: TestKey;
  code: string;
}

async function newCode(admin: As, body: object = {}): Promise<string> {
  const answer = await admin.post('/v1/enrolment-codes', body).expect(201);
  const { code } = answer.body as { code: string };
  secrets.add(code);
  return code;
}

async function enrol(admin: As, body: object = {}): Promise<Enrolled> {
  const key = await testKey();
  const code = await newCode(admin, body);
  const answer = await onHandsetPort('POST', '/enrol/v1', { body: { code, csr: key.csr } });
  expect(answer.status).toBe(200);
  return { ...(answer.body as unknown as EnrolAnswer), key, code };
}

const tlsOf = ({ certificate, key }: Pick<Enrolled, 'certificate' | 'key'>) => ({
  cert: certificate,
  key: key.privateKeyPem,
});
const whoami = (enrolled: Pick<Enrolled, 'certificate' | 'key'>) =>
  onHandsetPort('GET', '/d/v1/whoami', { tls: tlsOf(enrolled) });

async function records(topic: 'muster.audit' | 'muster.handset'): Promise<EventRecord[]> {
  const log = server.app.get(TailLog);
  const parts = Array.from({ length: 12 }, (_, partition) => log.read(topic, partition, 0, 10_000));
  return (await Promise.all(parts)).flat();
}

async function asSuperuser<R extends object>(sql: string): Promise<R[]> {
  const all = new Database(database.superuserUrl, { max: 1 });
  const rows = await all.query<R>(sql);
  await all.end();
  return rows;
}

describe('sessions', () => {
  it('open with the right password and say who it is', async () => {
    const { get } = await root();
    const { body } = read(await get('/v1/me').expect(200));
    expect(body).toMatchObject({ tenant: 'acme', kind: 'person', platform: true });
  });
  it.each([
    ['a wrong password', 'acme', 'root@acme.test'],
    ['an unknown account', 'acme', 'nobody@acme.test'],
    ['an unknown tenant', 'nowhere', 'root@acme.test'],
    ['a tenant that is none', "a'; drop table ops.tenant", 'root@acme.test'],
  ])('are refused alike for %s with auth.invalid', async (_, tenant, email) => {
    const body = { tenant: tenant.slice(0, 31), email, password: 'not the right one' };
    const answer = await supertest(people).post('/v1/sessions').send(body).expect(401);
    expect(answer.body).toMatchObject({ code: 'auth.invalid', detail: 'tenant, address or password is wrong' });
    expect(answer.headers['content-type']).toContain('application/problem+json');
  });
  it('end at logout', async () => {
    const { get, del } = await root();
    await del('/v1/sessions/current').expect(204);
    await get('/v1/me').expect(401);
  });
  it('end when the same caller logs in anew', async () => {
    const { token, get } = await root();
    const body = { tenant: 'acme', email: 'root@acme.test', password: PASSWORD };
    await supertest(people).post('/v1/sessions').auth(token, { type: 'bearer' }).send(body).expect(201);
    await get('/v1/me').expect(401);
  });
  it('end after 15 minutes without a request, and after 8 hours with them', async () => {
    const idle = await root();
    const busy = await root();
    try {
      clock.offset = 14 * 60_000;
      await busy.get('/v1/me').expect(200);
      clock.offset = 16 * 60_000;
      await idle.get('/v1/me').expect(401);
      for (let minutes = 28; minutes < 480; minutes += 14) {
        clock.offset = minutes * 60_000;
        await busy.get('/v1/me').expect(200);
      }
      clock.offset = 480 * 60_000 + 5_000;
      await busy.get('/v1/me').expect(401);
    } finally {
      clock.offset = 0;
    }
  });
  it('are throttled by account after a few failures, and open again after the wait', async () => {
    const { email } = await user(await root(), ['viewer']);
    const attempt = (password: string) =>
      supertest(people).post('/v1/sessions').send({ tenant: 'acme', email, password });
    for (let n = 0; n < 5; n += 1) await attempt('not the right one').expect(401);
    const refused = await attempt(PASSWORD).expect(429);
    expect(refused.body).toMatchObject({ code: 'auth.throttled' });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    try {
      clock.offset = 2_000;
      await attempt(PASSWORD).expect(201);
    } finally {
      clock.offset = 0;
    }
  });
  it('are not stored in plain', async () => {
    const { token } = await root();
    const rows = await asSuperuser<{ session_hash: string }>('select session_hash from ops.session');
    expect(rows.length).toBeGreaterThan(0);
    expect(JSON.stringify(rows)).not.toContain(token.split('.')[1]);
  });
});

describe('people', () => {
  it('are added, changed and listed, each change with an audit event', async () => {
    const admin = await root();
    const { id, email } = await user(admin, ['viewer']);
    const changed = await admin
      .patch(`/v1/users/${id}`, { roles: ['viewer', 'author'] })
      .set('if-match', '"v1"')
      .expect(200);
    expect(changed.body).toMatchObject({ id, email, roles: ['viewer', 'author'], version: 2 });
    expect(changed.text).not.toContain('scrypt');
    const audited = (await records('muster.audit')).filter(
      ({ data }) => (data as { object: { id: string } }).object.id === id,
    );
    expect(audited.map(({ data, actor }) => [(data as { operation: string }).operation, actor.split(':')[0]])).toEqual([
      ['user.add', 'person'],
      ['user.change', 'person'],
    ]);
  });
  it('with a stale If-Match are left as they are, with precondition.failed', async () => {
    const admin = await root();
    const { id } = await user(admin, ['viewer']);
    const answer = await admin.patch(`/v1/users/${id}`, { name: 'X' }).set('if-match', '"v9"').expect(412);
    expect(answer.body).toMatchObject({ code: 'precondition.failed' });
    expect((await admin.get(`/v1/users/${id}`)).body).toMatchObject({ name: 'N', version: 1 });
  });
  it('do not change their own roles: person.own-roles', async () => {
    const admin = await root();
    const { id, email } = await user(admin, ['admin']);
    const other = await login('acme', email);
    const answer = await other
      .patch(`/v1/users/${id}`, { roles: ['admin', 'approver'] })
      .set('if-match', '*')
      .expect(403);
    expect(answer.body).toMatchObject({ code: 'person.own-roles', errors: [{ pointer: '/roles' }] });
  });
  it('do not change who runs the installation: auth.forbidden', async () => {
    const admin = await root();
    const { email } = await user(admin, ['admin']);
    const { id } = (await admin.get('/v1/me')).body as { id: string };
    const other = await login('acme', email);
    const answer = await other
      .patch(`/v1/users/${id}`, { password: 'another good password' })
      .set('if-match', '*')
      .expect(403);
    expect(answer.body).toMatchObject({ code: 'auth.forbidden' });
  });
  it('lose their sessions when their roles change or they are disabled', async () => {
    const admin = await root();
    const { id, email } = await user(admin, ['viewer']);
    const first = await login('acme', email);
    await admin.patch(`/v1/users/${id}`, { roles: [] }).set('if-match', '*').expect(200);
    await first.get('/v1/me').expect(401);
    const second = await login('acme', email);
    await admin.patch(`/v1/users/${id}`, { disabled: true }).set('if-match', '*').expect(200);
    await second.get('/v1/me').expect(401);
    await supertest(people).post('/v1/sessions').send({ tenant: 'acme', email, password: PASSWORD }).expect(401);
  });
  it('change their own password with the current one, and only so', async () => {
    const admin = await root();
    const { email } = await user(admin, ['viewer']);
    const own = await login('acme', email);
    await own.put('/v1/me/password', { current: 'wrong', password: 'another good password' }).expect(403);
    await own.put('/v1/me/password', { current: PASSWORD, password: 'another good password' }).expect(204);
    await own.get('/v1/me').expect(401);
    await login('acme', email, 'another good password');
  });
  it('cannot guess the current password by an open session: auth.throttled', async () => {
    const { email } = await user(await root(), ['viewer']);
    const own = await login('acme', email);
    const guess = () => own.put('/v1/me/password', { current: 'wrong', password: 'another good password' });
    for (let n = 0; n < 5; n += 1) await guess().expect(403);
    await guess().expect(429);
  });
  it('are refused a weak password and an address in use, with the field named', async () => {
    const admin = await root();
    const { email } = await user(admin, ['viewer']);
    const body = { email: 'new@acme.test', name: 'N', password: 'short', roles: ['viewer'] };
    const weak = await admin.post('/v1/users', body).expect(422);
    expect(weak.body).toMatchObject({ code: 'password.weak', errors: [{ pointer: '/password' }] });
    const taken = await admin
      .post('/v1/users', { ...body, email: email.toUpperCase(), password: PASSWORD })
      .expect(409);
    expect(taken.body).toMatchObject({ code: 'person.exists', errors: [{ pointer: '/email' }] });
    const odd = await admin
      .post('/v1/users', { ...body, roles: ['root'], platform: true, name: 'a\u001bb' })
      .expect(400);
    const pointers = (odd.body as { errors: { pointer: string }[] }).errors.map(({ pointer }) => pointer);
    expect(pointers).toEqual(expect.arrayContaining(['/roles', '/platform', '/name']));
  });
  it('keep one administrator: person.last-admin', async () => {
    const admin = await root();
    const administrator = { email: 'a@solo.test', name: 'A', password: PASSWORD };
    await admin.post('/v1/tenants', { tenant: 'solo', name: 'Solo', administrator }).expect(201);
    const first = await login('solo', 'a@solo.test');
    const { body } = read(
      await first.post('/v1/users', {
        email: 'b@solo.test',
        name: 'B',
        password: PASSWORD,
        roles: ['admin'],
      }),
    );
    const second = await login('solo', 'b@solo.test');
    const { id } = (await first.get('/v1/me')).body as { id: string };
    const other = (body as { id: string }).id;
    const both = await Promise.all([
      first.patch(`/v1/users/${other}`, { roles: [] }).set('if-match', '*'),
      second.patch(`/v1/users/${id}`, { roles: [] }).set('if-match', '*'),
    ]);
    const [done, refused] = both.map(({ status }) => status).sort();
    expect(done).toBe(200);
    expect([401, 409]).toContain(refused); // the second is the last one, or is no administrator any more
    const left = await asSuperuser(`select 1 from ops.person where tenant = 'solo' and 'admin' = any(roles)`);
    expect(left.length).toBe(1);
  });
});

describe('a guarded route', () => {
  it('that names no permission lets nobody in', async () => {
    const answer = await (await root()).get('/v1/probe/unnamed').expect(403);
    expect(answer.body).toMatchObject({ code: 'auth.forbidden' });
  });
  it('lets who is confined to a security domain in only where it asks about domains', async () => {
    const body = { email: 'sd@acme.test', name: 'N', password: PASSWORD, roles: ['viewer'], domain: 'A000000151' };
    await (await root()).post('/v1/users', body).expect(201);
    const confined = await login('acme', 'sd@acme.test');
    await confined.get('/v1/probe/tenant').expect(403);
    await confined.get('/v1/devices').expect(403);
    expect((await confined.get('/v1/probe/domain').expect(200)).body).toEqual({ mine: true, other: false });
  });
});

describe('what is made again with the same Idempotency-Key, after its answer was lost,', () => {
  const audited = async () => (await records('muster.audit')).length;

  it.each([
    ['/v1/tokens', () => ({ name: 'ci', roles: ['viewer'], lifetimeDays: 1 })],
    ['/v1/users', () => ({ email: `${newId()}@acme.test`, name: 'Twice', password: PASSWORD, roles: ['viewer'] })],
    ['/v1/enrolment-codes', () => ({ label: 'van 7' })],
  ])('is the same thing, with the same secret: %s', async (route, bodyOf) => {
    const admin = await root();
    const body = bodyOf();
    const send = (key: string) => admin.post(route, body).set('idempotency-key', key);
    const [key, before] = [newId(), await audited()];
    const first = read(await send(key).expect(201)).body as { id: string };
    expect(read(await send(key).expect(201)).body).toEqual(first);
    expect(await audited()).toBe(before + 1);
    if (route === '/v1/users') expect((await send(newId())).body).toMatchObject({ code: 'person.exists' });
    else expect((read(await send(newId()).expect(201)).body as { id: string }).id).not.toBe(first.id);
  });

  it('is the same batch of codes', async () => {
    const admin = await root();
    const send = (key: string) =>
      admin
        .post('/v1/enrolment-codes/bulk')
        .set('content-type', 'text/csv')
        .set('idempotency-key', key)
        .send('label,channel\na,main\nb,main\n');
    const key = newId();
    const [first, again] = await Promise.all([send(key), send(key)]);
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.body).toEqual(first.body);
    expect((first.body as { items: object[] }).items).toHaveLength(2);
  });

  it('is the same tenant', async () => {
    const admin = await root();
    const administrator = { email: 'first@twice.test', name: 'First', password: PASSWORD };
    const send = (key: string) =>
      admin.post('/v1/tenants', { tenant: 'twice', name: 'Twice', administrator }).set('idempotency-key', key);
    const key = newId();
    await send(key).expect(201);
    await send(key).expect(201);
    expect((await send(newId())).body).toMatchObject({ code: 'tenant.exists' });
  });
});

describe('tokens', () => {
  const issue = (admin: As, roles: string[]) => admin.post('/v1/tokens', { name: 'ci', roles, lifetimeDays: 1 });

  it('act with their roles, are shown once and end when revoked', async () => {
    const admin = await root();
    const answer = await issue(admin, ['viewer']).set('idempotency-key', 'once').expect(201);
    const { token, id } = answer.body as { token: string; id: string };
    expect(token).toMatch(/^mtk_acme\./);
    expect(answer.headers['cache-control']).toBe('no-store');
    await as(token).get('/v1/devices').expect(200);
    await as(token).post('/v1/enrolment-codes', {}).expect(403);
    expect((await admin.get('/v1/tokens').expect(200)).text).not.toContain(token);
    await admin.post(`/v1/tokens/${id}/revoke`).expect(201);
    await as(token).get('/v1/devices').expect(401);
  });
  it('have no role that their owner has not: token.roles', async () => {
    const admin = await root();
    const { email } = await user(admin, ['admin']);
    const answer = await issue(await login('acme', email), ['approver']).expect(403);
    expect(answer.body).toMatchObject({ code: 'token.roles', errors: [{ pointer: '/roles' }] });
  });
  it('can no more than their owner still can', async () => {
    const admin = await root();
    const { id, email } = await user(admin, ['admin', 'operator']);
    const { body } = read(await issue(await login('acme', email), ['operator']).expect(201));
    const { post, get } = as((body as { token: string }).token);
    await post('/v1/enrolment-codes', {}).expect(201);
    await admin
      .patch(`/v1/users/${id}`, { roles: ['admin'] })
      .set('if-match', '*')
      .expect(200);
    await post('/v1/enrolment-codes', {}).expect(403);
    await admin.patch(`/v1/users/${id}`, { disabled: true }).set('if-match', '*').expect(200);
    await get('/v1/me').expect(401);
  });
  it('make no other token and no person, whatever roles they have', async () => {
    const { body } = read(await issue(await root(), ['admin']).expect(201));
    const token = as((body as { token: string }).token);
    await issue(token, ['viewer']).expect(403);
    await token.post('/v1/users', { email: 'x@y.zz', name: 'N', password: PASSWORD, roles: [] }).expect(403);
  });
  it('are refused after their time', async () => {
    const { body } = read(await issue(await root(), ['viewer']).expect(201));
    try {
      clock.offset = 86_400_000 + 5_000;
      await as((body as { token: string }).token)
        .get('/v1/me')
        .expect(401);
    } finally {
      clock.offset = 0;
    }
  });
  it.each(['', 'x', 'mtk_acme.AAAAAAAAAAAAAAAAAAAAAAAA', "mtk_acme.' or '1'='1", 'mss_acme.'.padEnd(5_000, 'A')])(
    'like %.30j are refused with 401',
    async (token) => {
      await supertest(people).get('/v1/me').set('authorization', `Bearer ${token}`).expect(401);
    },
  );
});

describe('enrolment codes', () => {
  it('are made in bulk from a CSV, one audit event for all', async () => {
    const admin = await root();
    const before = (await records('muster.audit')).length;
    const answer = await admin
      .post('/v1/enrolment-codes/bulk?lifetimeSeconds=3600')
      .set('content-type', 'text/csv')
      .send('label,channel\n=cmd,beta\nvan 8,\n')
      .expect(201);
    const { items } = answer.body as { items: { label: string; channel: string; code: string }[] };
    expect(items.map(({ label, channel }) => [label, channel])).toEqual([
      ['=cmd', 'beta'],
      ['van 8', 'main'],
    ]);
    expect(new Set(items.map(({ code }) => code)).size).toBe(2);
    expect((await records('muster.audit')).length).toBe(before + 1);
  });
  it('come back as a CSV that no spreadsheet takes for formulas', async () => {
    const admin = await root();
    const answer = await admin
      .post('/v1/enrolment-codes/bulk')
      .set('content-type', 'text/csv')
      .set('accept', 'text/csv')
      .send('label\n"=HYPERLINK(""http://x"")"\n')
      .expect(201);
    expect(answer.headers['content-type']).toContain('text/csv');
    expect(answer.text.split('\r\n')[1]).toMatch(/^"'=HYPERLINK\(""http:\/\/x""\)","main","acme\./);
  });
  it('are none of them made when one line is bad, and the line and column are named', async () => {
    const admin = await root();
    const count = async () => (await asSuperuser('select 1 from ops.enrolment_code')).length;
    const before = await count();
    const answer = await admin
      .post('/v1/enrolment-codes/bulk')
      .set('content-type', 'text/csv')
      .send('label,channel\nok,main\nbad,NO\n')
      .expect(422);
    expect(answer.body).toMatchObject({ code: 'enrolment.csv', errors: [{ pointer: '/3/channel' }] });
    expect(await count()).toBe(before);
  });
  it.each([
    ['a channel of another form', { channel: '../x' }, '/channel'],
    ['a lifetime beyond 90 days', { lifetimeSeconds: 1e9 }, '/lifetimeSeconds'],
    ['a label of control characters', { label: 'a\u0007b' }, '/label'],
    ['a field that there is not', { tenant: 'beta' }, '/tenant'],
  ])('are refused with %s', async (_, body, pointer) => {
    const answer = await (await root()).post('/v1/enrolment-codes', body).expect(400);
    expect(answer.body).toMatchObject({ code: 'validation.failed', errors: [{ pointer }] });
  });
});

describe('a device', () => {
  it('fetches the CA, enrols with a code and its own key, and is known by its certificate', async () => {
    const admin = await root();
    const pem = await onHandsetPort('GET', '/enrol/v1/ca');
    expect(fingerprintOf(pem.text)).toBe(fingerprintOf(ca));
    const enrolled = await enrol(admin, { label: 'van 7', channel: 'beta' });
    expect(enrolled).toMatchObject({ tenant: 'acme', channel: 'beta', epoch: 1, serverCa: ca, ...MATERIAL });
    const { deviceId, deviceNo } = enrolled;
    expect((await whoami(enrolled)).body).toMatchObject({ tenant: 'acme', deviceId, deviceNo, channel: 'beta' });
    expect((await admin.get(`/v1/devices/${deviceId}`)).body).toMatchObject({ label: 'van 7', status: 'active' });
  });
  it('gets the next number of its tenant, without gaps, however many enrol at once and fail', async () => {
    const admin = await root();
    const taken = (await enrol(admin)).deviceNo;
    const body = { code: 'acme.AAAAAAAAAAAAAAAAAAAAAAAA', csr: (await testKey()).csr };
    const [, ...many] = await Promise.all([
      onHandsetPort('POST', '/enrol/v1', { body }),
      ...Array.from({ length: 6 }, () => enrol(admin)),
    ]);
    const numbers = many.map(({ deviceNo }) => deviceNo).sort((a, b) => a - b);
    expect(numbers).toEqual(Array.from({ length: 6 }, (_, n) => taken + 1 + n));
  });
  it('is answered again when it asks again with the same code and key, and another is refused with enrolment.code-used', async () => {
    const { code, key, deviceId, deviceNo } = await enrol(await root());
    const again = await onHandsetPort('POST', '/enrol/v1', { body: { code, csr: key.csr } });
    expect(again.body).toMatchObject({ deviceId, deviceNo });
    const other = await onHandsetPort('POST', '/enrol/v1', { body: { code, csr: (await testKey()).csr } });
    expect(other).toMatchObject({ status: 409, body: { code: 'enrolment.code-used', errors: [{ pointer: '/code' }] } });
  });
  it('keeps its identity when the answer fails, and gets it when it asks again', async () => {
    const [code, key] = [await newCode(await root()), await testKey()];
    const ask = () => onHandsetPort('POST', '/enrol/v1', { body: { code, csr: key.csr } });
    material = () => {
      throw new Error('no catalogue yet');
    };
    try {
      expect(await ask()).toMatchObject({ status: 500, body: { code: 'internal' } });
    } finally {
      material = () => MATERIAL;
    }
    expect((await ask()).status).toBe(200);
    const enrolments = (await records('muster.handset')).filter(({ type }) => type === 'HandsetEnrolled');
    expect(new Set(enrolments.map(({ data }) => (data as { keyHash: string }).keyHash)).size).toBe(enrolments.length);
  });
  it('uses a code once, when two ask at the same time', async () => {
    const code = await newCode(await root());
    const asks = await Promise.all(
      Array.from({ length: 4 }, async () =>
        onHandsetPort('POST', '/enrol/v1', { body: { code, csr: (await testKey()).csr } }),
      ),
    );
    expect(asks.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409]);
  });
  it('is refused an expired code with enrolment.code-expired', async () => {
    const code = await newCode(await root(), { lifetimeSeconds: 60 });
    try {
      clock.offset = 61_000;
      const answer = await onHandsetPort('POST', '/enrol/v1', { body: { code, csr: (await testKey()).csr } });
      expect(answer).toMatchObject({ status: 410, body: { code: 'enrolment.code-expired' } });
    } finally {
      clock.offset = 0;
    }
  });
  it('is refused with a key that another device has: device.key-taken', async () => {
    const admin = await root();
    const { key } = await enrol(admin);
    const code = await newCode(admin);
    const answer = await onHandsetPort('POST', '/enrol/v1', { body: { code, csr: key.csr } });
    expect(answer).toMatchObject({ status: 409, body: { code: 'device.key-taken' } });
    const fresh = await onHandsetPort('POST', '/enrol/v1', { body: { code, csr: (await testKey()).csr } });
    expect(fresh.status).toBe(200); // the code was not used up by the refusal
  });
  it.each([
    ['no CSR', { code: 'acme.AAAAAAAAAAAAAAAAAAAAAAAA' }, 400, 'validation.failed'],
    ['an unreadable CSR', { code: 'acme.AAAAAAAAAAAAAAAAAAAAAAAA', csr: 'x' }, 400, 'csr.malformed'],
    ['a code of no form', { code: 'constructor', csr: 'x' }, 404, 'enrolment.code-unknown'],
    ['a body over its limit', { code: 'x', csr: 'x'.repeat(LIMITS.enrolBody) }, 413, 'request.too-large'],
  ])('is refused with %s', async (_, body, status, code) => {
    expect(await onHandsetPort('POST', '/enrol/v1', { body })).toMatchObject({ status, body: { code } });
  });

  it('is refused at its next request once revoked, and its certificate cannot be renewed', async () => {
    const admin = await root();
    const enrolled = await enrol(admin);
    expect((await whoami(enrolled)).status).toBe(200);
    await admin.post(`/v1/devices/${enrolled.deviceId}/revoke`, { reason: 'lost' }).expect(200);
    expect(await whoami(enrolled)).toMatchObject({ status: 401, body: { code: 'auth.certificate-refused' } });
    const { key, certificate } = enrolled;
    const body = { certificate, csr: key.csr, proof: await key.prove(key.csr, clock.now()) };
    const renewed = await onHandsetPort('POST', '/enrol/v1/renew', { body });
    expect(renewed).toMatchObject({ status: 403, body: { code: 'device.revoked' } });
  });
  it('is refused on a connection that stays open, and on one resumed by a ticket, once revoked', async () => {
    const admin = await root();
    const open = await enrol(admin);
    const resuming = await enrol(admin);
    const agents = [new Agent({ keepAlive: true, maxSockets: 1 }), new Agent({ maxCachedSessions: 10 })] as const;
    const ask = (n: 0 | 1, enrolled: Enrolled) =>
      onHandsetPort('GET', '/d/v1/whoami', { tls: tlsOf(enrolled), kept: agents[n] });
    expect(await ask(0, open)).toMatchObject({ status: 200, isReused: false });
    expect(await ask(0, open)).toMatchObject({ status: 200, isReused: true });
    expect(await ask(1, resuming)).toMatchObject({ status: 200, isResumed: false });
    expect(await ask(1, resuming)).toMatchObject({ status: 200, isResumed: true, isReused: false });
    for (const { deviceId } of [open, resuming])
      await admin.post(`/v1/devices/${deviceId}/revoke`, { reason: 'lost' }).expect(200);
    expect(await ask(0, open)).toMatchObject({ status: 401, isReused: true });
    expect(await ask(1, resuming)).toMatchObject({ status: 401, isResumed: true });
    for (const agent of agents) agent.destroy();
  });
  it('is refused within a second when another process revoked it', async () => {
    const enrolled = await enrol(await root());
    expect((await whoami(enrolled)).status).toBe(200);
    await asSuperuser(`update ops.device set status = 'revoked' where device_id = '${enrolled.deviceId}'`);
    await new Promise((resolve) => setTimeout(resolve, 1_050));
    expect((await whoami(enrolled)).status).toBe(401);
  });
  it('is not let in without a certificate, with another CA of the same name, or by a header', async () => {
    const { deviceId } = await enrol(await root());
    expect(await onHandsetPort('GET', '/d/v1/whoami')).toMatchObject({ body: { code: 'auth.certificate-required' } });
    const forged = await selfSigned(`CN=${deviceId}`);
    expect(await onHandsetPort('GET', '/d/v1/whoami', { tls: forged })).toMatchObject({
      status: 401,
      body: { code: 'auth.certificate-refused' },
    });
    const headers = { 'x-controller-id': deviceId, 'x-client-cert': forged.cert.replaceAll('\n', ' ') };
    expect((await onHandsetPort('GET', '/d/v1/whoami', { headers })).status).toBe(401);
  });

  it('renews to a new key: the old one ends at once, and asks again for a lost answer', async () => {
    const enrolled = await enrol(await root());
    const key = await testKey();
    const body = {
      certificate: enrolled.certificate,
      csr: key.csr,
      proof: await enrolled.key.prove(key.csr, clock.now()),
    };
    const renewed = await onHandsetPort('POST', '/enrol/v1/renew', { body });
    expect(renewed).toMatchObject({ status: 200, body: { deviceId: enrolled.deviceId, epoch: 1 } });
    expect((await whoami(enrolled)).status).toBe(401);
    const again = await onHandsetPort('POST', '/enrol/v1/renew', { body });
    expect(again.status).toBe(200);
    const { certificate } = again.body as unknown as EnrolAnswer;
    expect((await whoami({ certificate, key })).body).toMatchObject({ deviceId: enrolled.deviceId });
  });
  it('is refused when its certificate has expired, and renews it up to 400 days later', async () => {
    const enrolled = await enrol(await root());
    const renew = async () => {
      const { certificate, key } = enrolled;
      const proof = await key.prove(key.csr, clock.now());
      return onHandsetPort('POST', '/enrol/v1/renew', { body: { certificate, csr: key.csr, proof } });
    };
    try {
      clock.offset = 90 * 86_400_000 + 60_000;
      expect((await whoami(enrolled)).status).toBe(401);
      clock.offset = 491 * 86_400_000;
      expect(await renew()).toMatchObject({ status: 403, body: { code: 'renewal.too-late' } });
      clock.offset = 489 * 86_400_000;
      const renewed = await renew();
      expect(renewed.status).toBe(200);
      const { certificate } = renewed.body as unknown as EnrolAnswer;
      expect((await whoami({ certificate, key: enrolled.key })).status).toBe(200);
    } finally {
      clock.offset = 0;
    }
  });

  it('comes back by a replacement with its id, its number and a new epoch', async () => {
    const admin = await root();
    const enrolled = await enrol(admin, { label: 'van 9' });
    const { body } = read(
      await admin.post(`/v1/devices/${enrolled.deviceId}/replace`, { lifetimeSeconds: 600 }).expect(201),
    );
    const key = await testKey();
    const { code } = body as { code: string };
    const back = await onHandsetPort('POST', '/enrol/v1', { body: { code, csr: key.csr } });
    const { deviceId, deviceNo } = enrolled;
    expect(back).toMatchObject({ status: 200, body: { deviceId, deviceNo, epoch: 2 } });
    expect((await whoami(enrolled)).status).toBe(401);
    expect((await whoami({ ...(back.body as unknown as EnrolAnswer), key })).status).toBe(200);
  });
  it('is forgotten: revoked, its label gone from rows and unreadable in the log', async () => {
    const admin = await root();
    const { deviceId } = await enrol(admin, { label: 'canary-label-4711' });
    const enrolment = async () => (await records('muster.handset')).find(({ subject }) => subject === deviceId)?.data;
    expect(await enrolment()).toMatchObject({ label: 'canary-label-4711' });
    await admin.post(`/v1/devices/${deviceId}/forget`, { reason: 'asked' }).expect(200);
    await admin.post(`/v1/devices/${deviceId}/forget`, { reason: 'asked' }).expect(200);
    expect((await admin.get(`/v1/devices/${deviceId}`)).body).toMatchObject({ status: 'forgotten', label: null });
    for (const table of ['ops.device', 'ops.enrolment_code', 'ops.keyring', 'log.record'])
      expect(JSON.stringify(await asSuperuser(`select * from ${table}`))).not.toContain('canary-label-4711');
  });

  it('is listed in pages, in the order of its number', async () => {
    const admin = await root();
    await enrol(admin);
    await enrol(admin);
    const numbers: number[] = [];
    let next: string | null = '';
    while (next !== null) {
      const cursor = next === '' ? '' : `&cursor=${next}`;
      const { body } = read(await admin.get(`/v1/devices?limit=3${cursor}`).expect(200));
      const page = body as { items: { deviceNo: number }[]; next: string | null };
      numbers.push(...page.items.map(({ deviceNo }) => deviceNo));
      ({ next } = page);
    }
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, n) => n));
  });
});

describe('who runs the installation', () => {
  it('is made at the first start and not at the next', async () => {
    const again = { tenant: 'late', email: 'late@acme.test', password: PASSWORD };
    expect(await server.app.get(Bootstrap).bootstrapAdministrator(again)).toBe(false);
  });
  it('is made by their like, and makes tenants then', async () => {
    const admin = await root();
    const { id, email } = await user(admin, ['admin']);
    await admin.patch(`/v1/users/${id}`, { platform: true }).set('if-match', '*').expect(200);
    const other = await login('acme', email);
    await other.post('/v1/tenants', { tenant: 'delta', name: 'D' }).expect(201);
    await other.patch(`/v1/users/${id}`, { platform: false }).set('if-match', '*').expect(403);
    await admin.patch(`/v1/users/${id}`, { platform: false }).set('if-match', '*').expect(200);
  });
  it('is not made by an administrator of the tenant', async () => {
    const admin = await root();
    const { email } = await user(admin, ['admin']);
    const { id } = await user(admin, ['viewer']);
    const other = await login('acme', email);
    await other.patch(`/v1/users/${id}`, { platform: true }).set('if-match', '*').expect(403);
  });
});

describe('another tenant', () => {
  it('finds nothing under ids that are not its own: 404 on every route', async () => {
    const admin = await root();
    const administrator = { email: 'a@beta.test', name: 'A', password: PASSWORD };
    await admin.post('/v1/tenants', { tenant: 'beta', name: 'Beta', administrator }).expect(201);
    const beta = await login('beta', 'a@beta.test');
    const { deviceId } = await enrol(admin);
    const { id: person } = await user(admin, ['viewer']);
    const token = (await admin.post('/v1/tokens', { name: 't', roles: ['viewer'] })).body as { id: string };
    const code = (await admin.post('/v1/enrolment-codes', {})).body as { id: string };
    const reason = { reason: 'mine now' };
    const answers = await Promise.all([
      beta.get(`/v1/devices/${deviceId}`),
      beta.post(`/v1/devices/${deviceId}/revoke`, reason),
      beta.post(`/v1/devices/${deviceId}/forget`, reason),
      beta.post(`/v1/devices/${deviceId}/replace`, {}),
      beta.get(`/v1/users/${person}`),
      beta.patch(`/v1/users/${person}`, { roles: ['admin'] }).set('if-match', '*'),
      beta.post(`/v1/tokens/${token.id}/revoke`),
      beta.post(`/v1/enrolment-codes/${code.id}/revoke`),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 404));
    expect((await beta.get('/v1/devices')).body).toMatchObject({ items: [] });
    expect((await beta.get('/v1/tenants')).body).toMatchObject({ items: [{ id: 'beta' }] });
    await beta.post('/v1/tenants', { tenant: 'gamma', name: 'G' }).expect(403);
    expect((await admin.get(`/v1/devices/${deviceId}`)).body).toMatchObject({ status: 'active' });
  });
  it.each(['platform', 'A', '-a', 'x'.repeat(40), 'a/b', '__proto__'])('is not made with the id %j', async (tenant) => {
    const answer = await (await root()).post('/v1/tenants', { tenant, name: 'T' });
    expect([400, 422]).toContain(answer.status);
    expect(answer.body).toMatchObject({ errors: [{ pointer: '/tenant' }] });
  });
  it('is not made twice: tenant.exists', async () => {
    const answer = await (await root()).post('/v1/tenants', { tenant: 'acme', name: 'T' }).expect(409);
    expect(answer.body).toMatchObject({ code: 'tenant.exists' });
  });
});

describe('the log lines of all this', () => {
  it('hold no password, token, code or label', () => {
    expect(logged.length).toBeGreaterThan(0);
    expect(secrets.size).toBeGreaterThan(20);
    const lines = logged.join('\n');
    expect([...secrets, 'canary-label-4711'].filter((secret) => lines.includes(secret))).toEqual([]);
  });
});

describe('the search for devices', () => {
  interface Found {
    items: { id: string; deviceNo: number; label: string | null; channel: string; status: string; kind: string }[];
    next: string | null;
  }
  const labels = ['Van 1', 'van 2', 'VAN 10', 'Äpfel', 'a%b', 'beef'];
  let admin: As;
  const find = async (query: string): Promise<Found> =>
    (await admin.get(`/v1/devices?${query}`).expect(200)).body as Found;
  const labelsOf = async (query: string) => (await find(query)).items.map(({ label }) => label);

  beforeAll(async () => {
    await (await root())
      .post('/v1/tenants', {
        tenant: 'search',
        name: 'S',
        administrator: { email: 'root@search.test', name: 'A', password: PASSWORD },
      })
      .expect(201);
    admin = await login('search', 'root@search.test');
    for (const label of labels) await enrol(admin, { label });
    await enrol(admin, { label: 'other', channel: 'beta' });
    await admin.post('/v1/devices', { controllerId: 'gateway-7', label: 'Van 3' }).expect(201);
  });

  it('finds what the label begins with, in any case, by pages', async () => {
    expect(await labelsOf('q=van')).toEqual(['Van 1', 'VAN 10', 'van 2', 'Van 3']);
    const first = await find('q=van&limit=3');
    const second = await find(`q=van&limit=3&cursor=${first.next}`);
    expect([...first.items, ...second.items].map(({ label }) => label)).toEqual(['Van 1', 'VAN 10', 'van 2', 'Van 3']);
    expect(second.next).toBeNull();
    await admin.get(`/v1/devices?q=va&cursor=${first.next}`).expect(400);
  });

  it.each([
    ['a%25', ['a%b']],
    ['%25', []],
    ['_', []],
    ["'", []],
    ['%C3%84p', ['Äpfel']],
  ])('takes %s as it is', async (q, found) => expect(await labelsOf(`q=${q}`)).toEqual(found));

  it('finds what the id begins with, and a label that looks like one when there is no such id', async () => {
    const { id } = (await find('q=other')).items[0]!;
    for (const q of [id, id.slice(0, 30), id.replaceAll('-', '').toUpperCase()])
      expect((await find(`q=${q}`)).items).toMatchObject([{ id }]);
    expect(await labelsOf('q=beef')).toEqual(['beef']);
  });

  it('is narrowed by channel, status and kind', async () => {
    expect(await labelsOf('channel=beta')).toEqual(['other']);
    expect(await labelsOf('q=van&kind=hawkbit')).toEqual(['Van 3']);
    const { id } = (await find('q=beef')).items[0]!;
    await admin.post(`/v1/devices/${id}/revoke`, { reason: 'r' }).expect(200);
    expect(await labelsOf('status=revoked')).toEqual(['beef']);
    for (const query of ['status=gone', 'kind=x', 'channel=X', 'q=', 'q=%0a'])
      await admin.get(`/v1/devices?${query}`).expect(400);
  });

  it('begins with a number where that is asked for', async () => {
    const numbersOf = async (query: string) => (await find(query)).items.map(({ deviceNo }) => deviceNo);
    const all = await numbersOf('limit=200');
    expect(all).toEqual(all.map((_, i) => i)); // they are dense, so a number is a place
    expect(await numbersOf('from=2&limit=3')).toEqual([2, 3, 4]);
    const { next } = await find('from=2&limit=3');
    expect(await numbersOf(`limit=2&cursor=${next}`)).toEqual([5, 6]);
    expect(await numbersOf('from=2&limit=200&kind=hawkbit')).toEqual([7]);
    expect(await numbersOf('from=4294967295')).toEqual([]);
    for (const query of ['from=-1', 'from=x', 'from=1.5', 'from=4294967296', 'from=1&q=van', `from=1&cursor=${next}`])
      expect((await admin.get(`/v1/devices?${query}`).expect(400)).body).toHaveProperty('errors.0.pointer', '/from');
  });

  it('says how many there are of each sort', async () => {
    const { body } = read(await admin.get('/v1/devices/facets').expect(200));
    expect(body).toEqual({
      items: [
        { channel: 'beta', status: 'active', kind: 'handset', devices: 1 },
        { channel: 'main', status: 'active', kind: 'handset', devices: 5 },
        { channel: 'main', status: 'active', kind: 'hawkbit', devices: 1 },
        { channel: 'main', status: 'revoked', kind: 'handset', devices: 1 },
      ],
    });
    const some = read(await admin.get('/v1/devices/facets?q=van&status=active').expect(200));
    expect(some.body).toMatchObject({ items: [{ devices: 3 }, { kind: 'hawkbit', devices: 1 }] });
  });

  it('finds a forgotten device by no name', async () => {
    const { id } = (await find('q=other')).items[0]!;
    await admin.post(`/v1/devices/${id}/forget`, { reason: 'asked' }).expect(200);
    expect(await labelsOf('q=other')).toEqual([]);
    expect(await labelsOf('status=forgotten')).toEqual([null]);
    expect(await asSuperuser(`select 1 from ops.device where label_key = 'other'`)).toEqual([]);
  });
});
