import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { Controller, Module, Post, UseGuards } from '@nestjs/common';
import supertest from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventCatalog } from '#event-log/index.js';
import { EventLogModule, eventLogMigrations } from '#event-log/nest/event-log.module.js';
import { auditDefinitions, handsetDefinitions } from '#identity/events.js';
import {
  Bootstrap,
  Caller,
  CertificateAuthority,
  IdentityModule,
  identityMigrations,
  Needs,
  PeopleGuard,
} from '#identity/nest/identity.module.js';
import type { Principal } from '#identity/index.js';
import { silentLog } from '#runtime/index.js';
import { createServer, type MusterServer, RuntimeModule, StaticPages } from '#runtime/nest/runtime.module.js';
import { type TestDatabase, testDatabase } from '../support/database.js';

/* What browsers ask: a session that is a cookie, and the pages of the console. */

const PASSWORD = 'correct horse battery';
const LOGIN = { tenant: 'acme', email: 'root@acme.test', password: PASSWORD };

@Controller('v1/probe')
@UseGuards(PeopleGuard)
class Probe {
  @Post()
  @Needs('content:read')
  post(@Caller() { id }: Principal): { id: string } {
    return { id };
  }
}

@Module({ controllers: [Probe] })
class Around {}

const clock = { offset: 0, now: () => Date.now() + clock.offset };
const servers: MusterServer[] = [];
let database: TestDatabase;
let folder: string;
let pages: string;
let url: string;
let tlsUrl: string;
let handsetUrl: string;

beforeAll(async () => {
  database = await testDatabase([...eventLogMigrations, ...identityMigrations]);
  folder = mkdtempSync(path.join(tmpdir(), 'muster-console-'));
  pages = path.join(folder, 'pages');
  const urls = {
    actor: database.url('muster_campaign'),
    tail: database.url('muster_tail'),
    projector: database.url('muster_projector'),
    insight: database.url('muster_insight'),
  };
  const catalog = eventCatalog([handsetDefinitions, auditDefinitions]);
  @Module({
    imports: [
      RuntimeModule.forRoot({ clock, log: silentLog }),
      EventLogModule.forRoot({ urls, kekFile: path.join(folder, 'kek'), catalog }),
      IdentityModule.forRoot(),
      Around,
    ],
  })
  class App {}
  const at = { host: '127.0.0.1', port: 0 };
  for (const peopleTls of [false, true]) {
    const statics = new StaticPages('/console/', pages, 'npm run build:console');
    const server = await createServer(App, { log: silentLog, peopleTls, pages: statics });
    servers.push(server);
    const tls = await server.app.get(CertificateAuthority).serverTls(['127.0.0.1']);
    const ports = await server.listen({ people: { ...at, ...(peopleTls ? { tls } : {}) }, handset: { ...at, tls } });
    handsetUrl = `https://127.0.0.1:${ports.handset!}`;
    if (peopleTls) tlsUrl = `https://127.0.0.1:${ports.people}`;
    else url = `http://127.0.0.1:${ports.people}`;
  }
  await servers[0]!.app.get(Bootstrap).bootstrapAdministrator(LOGIN);
});
afterAll(async () => {
  for (const server of servers) await server.close();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

const setCookie = ({ headers }: supertest.Response): string => String(headers['set-cookie']);
const pairOf = (answer: supertest.Response): string => setCookie(answer).split(';')[0]!;
const login = (body: object = {}) =>
  supertest(url)
    .post('/v1/sessions')
    .send({ ...LOGIN, cookie: true, ...body });
const cookie = async (): Promise<string> => pairOf(await login().expect(201));

describe('a session that is a cookie', () => {
  it('comes without a token, where no script can read it', async () => {
    const answer = await login().expect(201);
    expect(answer.body).not.toHaveProperty('token');
    expect(answer.body).toMatchObject({ idleSeconds: 900, person: { tenant: 'acme' } });
    expect(setCookie(answer)).toMatch(
      /^muster=mss_acme\.[\w-]{43}; Path=\/; Max-Age=28800; HttpOnly; SameSite=Strict$/,
    );
  });

  it('is bound to the host and to TLS where TLS is, and read nowhere else', async () => {
    const answer = await supertest(tlsUrl)
      .post('/v1/sessions')
      .trustLocalhost()
      .disableTLSCerts()
      .send({ ...LOGIN, cookie: true })
      .expect(201);
    expect(setCookie(answer)).toMatch(/^__Host-muster=mss_[^;]+; Path=\/; .*; Secure$/);
    const me = (pair: string) => supertest(tlsUrl).get('/v1/me').disableTLSCerts().set('cookie', pair);
    await me(pairOf(answer)).expect(200);
    await me(pairOf(answer).replace('__Host-', '')).expect(401);
  });

  it('says who it is and what they may', async () => {
    const answer = await supertest(url)
      .get('/v1/me')
      .set('cookie', `theme=dark; ${await cookie()}`)
      .expect(200);
    expect(answer.body).toMatchObject({ tenant: 'acme', kind: 'person', platform: true });
    const { permissions } = answer.body as { permissions: string[] };
    expect(permissions).toEqual(expect.arrayContaining(['campaign:read', 'campaign:approve', 'user:write']));
  });

  it('ends at sign-out, and the cookie goes', async () => {
    const pair = await cookie();
    const answer = await supertest(url)
      .delete('/v1/sessions/current')
      .set({ cookie: pair, 'muster-csrf': '1' })
      .expect(204);
    expect(setCookie(answer)).toBe('muster=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict');
    await supertest(url).get('/v1/me').set('cookie', pair).expect(401);
  });

  it('ends when the same browser signs in anew', async () => {
    const before = await cookie();
    await login().set('cookie', before).expect(201);
    await supertest(url).get('/v1/me').set('cookie', before).expect(401);
  });

  it('ends after 15 minutes without a request, and is cleared then', async () => {
    const pair = await cookie();
    clock.offset = 16 * 60_000;
    try {
      const answer = await supertest(url).get('/v1/me').set('cookie', pair).expect(401);
      expect(answer.body).toMatchObject({ code: 'auth.invalid' });
      expect(setCookie(answer)).toContain('muster=; Path=/; Max-Age=0');
    } finally {
      clock.offset = 0;
    }
  });

  it.each([
    'muster=',
    'muster=x',
    `muster=mss_acme.${'A'.repeat(43)}`,
    'muster=%00"\u00e9',
    `muster=${'a'.repeat(5_000)}`,
  ])('is refused and cleared when it is none: %.40s', async (pair) => {
    const answer = await supertest(url).get('/v1/me').set('cookie', pair).expect(401);
    expect(answer.body).toMatchObject({ code: 'auth.invalid' });
    expect(setCookie(answer)).toContain('muster=; Path=/; Max-Age=0');
  });

  it('is not what a token is: a header wins, also when it is wrong', async () => {
    const pair = await cookie();
    const wrong = await supertest(url)
      .get('/v1/me')
      .set({ cookie: pair, authorization: 'Bearer mss_acme.wrong' })
      .expect(401);
    expect(wrong.headers).not.toHaveProperty('set-cookie');
    await supertest(url).get('/v1/me').set({ cookie: pair, authorization: 'Basic abc' }).expect(401);
    const { body } = (await login({ cookie: false }).expect(201)) as { body: { token: string } };
    await supertest(url).get('/v1/me').set('cookie', `muster=${body.token}`).expect(200);
    await supertest(url)
      .post('/v1/probe')
      .set({ cookie: pair, authorization: `Bearer ${body.token}`, 'sec-fetch-site': 'cross-site' })
      .expect(201);
  });
});

describe('a change by cookie', () => {
  const change = async (headers: Record<string, string>) =>
    supertest(url)
      .post('/v1/probe')
      .set({ cookie: await cookie(), ...headers });
  const host = () => new URL(url).host;

  it('is taken from a page of ours', async () => {
    expect((await change({ 'muster-csrf': '1' })).status).toBe(201);
    const byBrowser = { 'muster-csrf': '1', 'sec-fetch-site': 'same-origin', origin: `http://${host()}` };
    expect((await change(byBrowser)).status).toBe(201);
  });

  it.each([
    ['without the header', {}, '/muster-csrf'],
    ['with another value', { 'muster-csrf': 'true' }, '/muster-csrf'],
    ['from another site', { 'muster-csrf': '1', 'sec-fetch-site': 'cross-site' }, '/sec-fetch-site'],
    ['from another port', { 'muster-csrf': '1', 'sec-fetch-site': 'same-site' }, '/sec-fetch-site'],
    ['from no page', { 'muster-csrf': '1', 'sec-fetch-site': 'none' }, '/sec-fetch-site'],
    ['of another origin', { 'muster-csrf': '1', origin: 'http://evil.example' }, '/origin'],
    ['of an origin that is hidden', { 'muster-csrf': '1', origin: 'null' }, '/origin'],
  ])('is refused %s: auth.csrf', async (_, headers, pointer) => {
    const answer = await change(headers);
    expect(answer.status).toBe(403);
    expect(answer.body).toMatchObject({ code: 'auth.csrf', errors: [{ pointer }] });
    expect(answer.headers).not.toHaveProperty('set-cookie');
  });

  it('is refused before the session is looked at, so that nobody learns of it', async () => {
    const answer = await supertest(url).post('/v1/probe').set('cookie', 'muster=x').expect(403);
    expect(answer.body).toMatchObject({ code: 'auth.csrf' });
  });

  it('does not sign a visitor of a foreign page in', async () => {
    const answer = await login().set('origin', 'https://evil.example').expect(403);
    expect(answer.body).toMatchObject({ code: 'auth.csrf' });
  });
});

describe('the console', () => {
  const get = (at: string) => supertest(url).get(at);
  const script = `export const much = '${'much '.repeat(400)}';`;

  it('says how it is built while it is not', async () => {
    const answer = await get('/console/').expect(503);
    expect(answer.body).toMatchObject({
      code: 'console.unavailable',
      detail: 'the console is not built: npm run build:console',
    });
    await get('/console/assets/app-1.js').expect(404);
  });

  it('is there once it is built, without a new start', async () => {
    mkdirSync(path.join(pages, 'assets'), { recursive: true });
    writeFileSync(path.join(pages, 'assets/app-1.js'), script);
    writeFileSync(path.join(pages, 'assets/app-1.js.br'), brotliCompressSync(script));
    writeFileSync(path.join(pages, 'assets/app-1.js.gz'), gzipSync(script));
    writeFileSync(path.join(pages, 'icon.svg'), '<svg/>');
    writeFileSync(path.join(pages, 'index.html'), '<!doctype html><title>one</title>');
    const answer = await get('/console/').expect(200);
    expect(answer.text).toContain('one');
    expect(answer.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'content-security-policy':
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
        "font-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    });
    await get('/console/').set('if-none-match', String(answer.headers.etag)).expect(304);
  });

  it.each(['/', '/console'])('is where %s leads', async (at) => {
    await get(at).expect(302).expect('location', '/console/');
  });

  it.each([
    '/console/campaigns',
    '/console/devices/1.5/timeline',
    '/console/index.html',
    '/console/..%2f..%2fetc/passwd',
  ])('is the page at %s', async (at) => expect((await get(at).expect(200)).text).toContain('<title>one</title>'));

  it('has hashed assets for ever, compressed where that is understood', async () => {
    const ask = (coding: string) => get('/console/assets/app-1.js').set('accept-encoding', coding).expect(200);
    const [plain, gzipped, weighed] = [await ask('identity'), await ask('gzip, br;q=0'), await ask('gzip')];
    expect(plain.headers).toMatchObject({
      'cache-control': 'public, max-age=31536000, immutable',
      vary: 'accept-encoding',
      'content-type': 'text/javascript; charset=utf-8',
      'content-length': String(script.length),
    });
    expect(plain.headers).not.toHaveProperty('content-encoding');
    expect(gzipped.headers['content-encoding']).toBe('gzip');
    expect([gzipped.text, weighed.text]).toEqual([script, script]);
    expect(gzipped.headers.etag).not.toBe(plain.headers.etag);
    const head = await supertest(url).head('/console/assets/app-1.js').set('accept-encoding', 'gzip, br').expect(200);
    expect(head.headers).toMatchObject({ 'content-encoding': 'br', etag: expect.stringMatching(/-br"$/) as string });
    expect(head.headers['content-length']).toBe(String(brotliCompressSync(script).length));
    await get('/console/icon.svg')
      .expect(200)
      .expect('cache-control', 'no-cache')
      .expect('content-type', 'image/svg+xml');
  });

  it.each(['/console/assets/gone.js', '/console/gone.svg', '/console/assets/app-1.js.br', '/console/assets/'])(
    'has no %s',
    async (at) => {
      const { body } = (await get(at).expect(404)) as { body: object };
      expect(body).toMatchObject({ code: 'route.unknown' });
    },
  );

  it('has a nonce of each answer for inline styles, and then no 304', async () => {
    const index = path.join(pages, 'index.html');
    writeFileSync(index, '<!doctype html><meta property="csp-nonce" nonce="muster-csp-nonce"><title>two</title>');
    utimesSync(index, new Date(), new Date(Date.now() + 5_000)); // also on a file system of whole seconds
    const nonces = new Set<string>();
    for (let n = 0; n < 2; n += 1) {
      const answer = await get('/console/').expect(200);
      const [, nonce = ''] = / nonce="([\w+/=]{24})"/.exec(answer.text) ?? [];
      expect(answer.headers['content-security-policy']).toContain(`style-src 'self' 'nonce-${nonce}';`);
      expect(answer.headers).not.toHaveProperty('etag');
      nonces.add(nonce);
    }
    expect(nonces.size).toBe(2);
  });

  it('is not on the port of the handsets, and takes nothing', async () => {
    await supertest(handsetUrl).get('/console/').disableTLSCerts().expect(404);
    await supertest(handsetUrl).get('/').disableTLSCerts().expect(404);
    await supertest(url).post('/console/').expect(404);
  });
});
