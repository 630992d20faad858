import { randomBytes, randomUUID } from 'node:crypto';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, expectProblem, expectStatus, Installation, type Sending, TUS } from '../support/installation.js';
import { addressOf, describedRoutes, type Route } from '../support/routes.js';

/*
 * What a running server answers to bodies, addresses and names that are not as they should be: a problem document that
 * names the field, and a log that ends where it ended before.
 */

let muster: Installation;
let contentId: string;
let end: string;

beforeAll(async () => {
  muster = await Installation.start('bad-input');
  contentId = await muster.publish(randomBytes(10));
  end = await muster.settledEnd();
});
afterAll(() => muster.stop());

const routes = describedRoutes();
const jsonRoutes = routes.filter(({ takesJson, isHandset }) => takesJson && !isHandset);
const anyId = () => randomUUID();
const post = (body: Sending['body'], headers: Record<string, string> = {}) =>
  muster.people('POST', '/v1/campaigns', { body, headers });

/** Nothing was recorded since the set-up, by any route. */
const nothingHappened = (): Promise<void> => muster.expectNothingSince(end);

/** Answers of all routes that are not as expected, so that a failure names them together. */
async function exceptions(
  among: Route[],
  send: (route: Route) => Promise<Answer>,
  isExpected: (answer: Answer, route: Route) => boolean,
): Promise<string[]> {
  const found: string[] = [];
  for (const route of among) {
    const answer = await send(route);
    if (!isExpected(answer, route))
      found.push(`${route.name}: ${answer.status} ${answer.bytes.toString('utf8').slice(0, 200)}`);
  }
  return found;
}

const isProblem = ({ status, headers, body }: Answer, ...statuses: number[]): boolean =>
  statuses.includes(status) &&
  headers['content-type']?.includes('application/problem+json') === true &&
  typeof (body as { code?: unknown } | undefined)?.code === 'string';

const fieldsOf = (answer: Answer): string[] =>
  ((answer.body as { errors?: { pointer: string }[] }).errors ?? []).map(({ pointer }) => pointer);

describe('a JSON body', () => {
  it('that is null is refused as a whole, also by a route where the body may be left out', async () => {
    expectProblem(await post('null'), 400, 'validation.failed', '');
    expectProblem(await muster.people('POST', '/v1/enrolment-codes', { body: 'null' }), 400, 'validation.failed', '');
    await nothingHappened();
  });

  const contents = () => `"contents":["${contentId}"]`;
  it.each<[what: string, text: () => string | Buffer, pointer: string]>([
    ['that is empty', () => '', ''],
    ['that breaks off', () => '{"name":"a"', ''],
    ['with a name twice', () => `{"name":"a",${contents()},"name":"b"}`, '/name'],
    ['with a nested name twice', () => `{"windows":[{"days":[1],"days":[2]}]}`, '/windows/0/days'],
    ['with a number beyond a double', () => `{"name":"a",${contents()},"priority":1e400}`, '/priority'],
    ['of 100,000 brackets', () => '['.repeat(100_000) + ']'.repeat(100_000), '/0'.repeat(32)],
    [
      'with a field 5,000 levels deep',
      () => `{"windows":${'['.repeat(5_000)}${']'.repeat(5_000)}}`,
      `/windows${'/0'.repeat(31)}`,
    ],
    ['of bytes that are no UTF-8', () => Buffer.from('{"name":"\xc3\x28\xff"}', 'latin1'), ''],
    ['in UTF-16', () => Buffer.from('{"name":"a"}', 'utf16le'), ''],
    ['with U+0000', () => `{"name":"a\\u0000b",${contents()}}`, '/name'],
    ['with half of a surrogate pair', () => `{"name":"\\ud800",${contents()}}`, '/name'],
    ['with __proto__', () => `{"__proto__":{"channel":"main"},"name":"a",${contents()}}`, '/__proto__'],
    ['with constructor', () => `{"constructor":{"prototype":{}},"name":"a",${contents()}}`, '/constructor'],
    ['with toString', () => `{"toString":1,"name":"a",${contents()}}`, '/toString'],
  ])('%s is refused as request.malformed', async (_, text, pointer) => {
    expectProblem(await post(text()), 400, 'request.malformed', pointer);
    await nothingHappened();
  });

  it.each(['[]', '"x"', '1', '[{"name":"a"}]'])('that is %s, no object, is refused field by field', async (text) => {
    expectProblem(await post(text), 400, 'validation.failed', '/name');
    await nothingHappened();
  });

  it.each<[url: string, body: object, pointer: string]>([
    ['/v1/enrolment-codes', { channel: null }, '/channel'],
    ['/v1/enrolment-codes', { lifetimeSeconds: null }, '/lifetimeSeconds'],
    ['/v1/tokens', { name: 'a', roles: [], lifetimeDays: null }, '/lifetimeDays'],
    ['/v1/tenants', { tenant: 'nobody', name: 'N', administrator: null }, '/administrator'],
    ['/v1/tenants', { tenant: 'nobody', name: 'N', administrator: [] }, '/administrator'],
    ['/v1/campaigns', { name: 'a', contents: [], windows: [[]] }, '/windows'],
    ['/v1/contents', { description: { name: 'a', version: '1', attributes: null } }, '/description/attributes'],
    ['/v1/contents', { description: [] }, '/description'],
    ['/v1/contents', { description: { name: 'a', version: '\u001b[31m' } }, '/description/version'],
  ])('for %s with %j is refused, and the field is named', async (url, body, pointer) => {
    expectProblem(await muster.people('POST', url, { body }), 400, 'validation.failed', pointer);
    await nothingHappened();
  });

  it('with null for what cannot be emptied changes no person', async () => {
    const { id } = await muster.ok('GET', '/v1/me');
    for (const field of ['name', 'roles', 'disabled', 'platform', 'password']) {
      const sending = { body: { [field]: null }, headers: { 'if-match': '*' } };
      const answer = await muster.people('PATCH', `/v1/users/${id}`, sending);
      expectProblem(answer, 400, 'validation.failed', `/${field}`);
    }
    await nothingHappened();
  });

  it('is refused with a field that nobody asked for, on every route', async () => {
    const send = (route: Route) =>
      muster.people(route.method, addressOf(route, anyId), { body: { surplus: 1 }, headers: { 'if-match': '*' } });
    const names = (answer: Answer) => isProblem(answer, 400) && fieldsOf(answer).includes('/surplus');
    // The parameters of the address are checked first on some routes: a UUID is no channel.
    const byId = jsonRoutes.filter(({ parameters }) => !parameters.includes('channel'));
    expect(await exceptions(byId, send, names)).toEqual([]);
    expect(byId.length).toBeGreaterThan(20);
    await nothingHappened();
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/xml'])(
    'is not taken as %s, on any route',
    async (type) => {
      const send = (route: Route) =>
        muster.people(route.method, addressOf(route, anyId), { body: '{}', headers: { 'content-type': type } });
      expect(await exceptions(jsonRoutes, send, (answer) => isProblem(answer, 415))).toEqual([]);
      await nothingHappened();
    },
  );

  it('over its limit is refused on every route', async () => {
    const body = JSON.stringify({ name: 'x'.repeat(262_144) });
    const send = (route: Route) => muster.people(route.method, addressOf(route, anyId), { body });
    expect(await exceptions(jsonRoutes, send, (answer) => isProblem(answer, 413))).toEqual([]);
    const csv = { body: `label\n${'x'.repeat(2_097_152)}`, headers: { 'content-type': 'text/csv' } };
    expectProblem(await muster.people('POST', '/v1/enrolment-codes/bulk', csv), 413, 'request.too-large');
    await nothingHappened();
  });

  it('is not inflated, whatever it is packed with', async () => {
    const bomb = Buffer.alloc(32 * 1024 * 1024);
    const packed = {
      gzip: gzipSync(bomb),
      deflate: deflateSync(bomb),
      br: brotliCompressSync(bomb),
      'gzip, gzip': gzipSync(gzipSync(bomb)),
    };
    const began = performance.now();
    for (const [coding, body] of Object.entries(packed))
      expectProblem(await post(body, { 'content-encoding': coding }), 415, 'request.media-type', '/content-encoding');
    const location = await muster.createUpload(bomb.length, 'filename Yg==');
    const headers = {
      ...TUS,
      'upload-offset': '0',
      'content-type': 'application/offset+octet-stream',
      'content-encoding': 'gzip',
    };
    expectProblem(await muster.people('PATCH', location, { body: packed.gzip, headers }), 415, 'request.media-type');
    expect((await muster.people('HEAD', location, { headers: TUS })).headers['upload-offset']).toBe('0');
    expect(performance.now() - began).toBeLessThan(10_000);
    await nothingHappened();
  });
});

describe('an address', () => {
  const odd = [
    '..',
    '../../etc/passwd',
    'constructor',
    '__proto__',
    'a\0b',
    'x'.repeat(300),
    '\u202egnp.exe',
    "'; drop table ops.tenant; --",
  ];
  const withIds = routes.filter(({ parameters }) => parameters.length > 0);

  /** Refuses in a form of its own. */
  const isHawkbits = ({ path }: Route) => path.includes('/controller/v1/');

  it.each(odd)('with the id %j is no more than unknown, on every route', async (id) => {
    const people = (route: Route) =>
      muster.people(
        route.method,
        addressOf(route, () => id),
        {
          ...(route.takesJson ? { body: {} } : {}),
          headers: { ...TUS, 'if-match': '*', 'upload-offset': '0' },
        },
      );
    const refused = (answer: Answer, { method }: Route) =>
      method === 'HEAD' ? [400, 404, 414].includes(answer.status) : isProblem(answer, 400, 404, 409, 414, 415);
    const ofPeople = withIds.filter(({ isHandset }) => !isHandset);
    expect(await exceptions(ofPeople, people, refused)).toEqual([]);
    const handset = (route: Route) =>
      muster.handset(
        route.method,
        addressOf(route, () => id),
      );
    const closed = (answer: Answer, route: Route) =>
      answer.status === 401 || refused(answer, route) || (isHawkbits(route) && answer.status === 400);
    expect(
      await exceptions(
        withIds.filter(({ isHandset }) => isHandset),
        handset,
        closed,
      ),
    ).toEqual([]);
    await nothingHappened();
  });

  it.each(['%', '%zz', '%c3%28', '%2e%2e%2f', '..%00'])(
    'with the ending %s is answered by a problem document',
    async (ending) => {
      const answers = [
        await muster.people('GET', `/v1/campaigns/${ending}`),
        await muster.handset('GET', `/tuf/main/main/${ending}`),
      ];
      expect(
        answers.filter((answer) => !isProblem(answer, 400, 404)).map(({ bytes }) => bytes.toString('utf8')),
      ).toEqual([]);
    },
  );

  it.each([
    ['limit=0', '/limit'],
    ['limit=1e9', '/limit'],
    ['limit=1&limit=2', '/limit'],
    ['cursor=zzz', '/cursor'],
    ['surplus=1', '/surplus'],
  ])('with the query %s is refused on every list, and the parameter is named', async (query, pointer) => {
    const lists = ['campaigns', 'contents', 'devices', 'users', 'tokens', 'enrolment-codes'];
    for (const list of lists) {
      const answer = await muster.people('GET', `/v1/${list}?${query}`);
      expect([list, isProblem(answer, 400), fieldsOf(answer)]).toEqual([list, true, expect.arrayContaining([pointer])]);
    }
  });

  it.each([
    ['/v1/events?from=zzz', 'position.malformed'],
    ['/v1/events?topic=__proto__', 'validation.failed'],
    ['/v1/devices/00000000-0000-7000-8000-000000000000/timeline?as_of=2026-13-13T00:00:00Z', 'as-of.malformed'],
    ['/v1/devices/00000000-0000-7000-8000-000000000000/timeline?as_of=9999-12-31T23:59:59Z', 'as-of.future'],
    ['/v1/projections/constructor/verify', 'projection.unknown'],
  ])('%s is refused as %s', async (url, code) => {
    const answer = await muster.people(url.endsWith('verify') ? 'POST' : 'GET', url);
    expectProblem(answer, code.endsWith('unknown') ? 404 : 400, code);
  });

  it('and a header that are no position are named', async () => {
    expectProblem(await muster.people('GET', '/v1/events?from=zzz'), 400, 'position.malformed', '/from');
    const live = await muster.people('GET', '/v1/live', { headers: { 'last-event-id': 'zzz' } });
    expectProblem(live, 400, 'position.malformed', '/last-event-id');
  });

  it('of the other port is not there, for every route', async () => {
    const strange = (answer: Answer) => answer.status !== 404;
    const onPeople = (route: Route) => muster.people(route.method, addressOf(route, anyId));
    const onHandsets = (route: Route) => muster.handset(route.method, addressOf(route, anyId));
    const handsets = routes.filter(({ isHandset }) => isHandset);
    expect(await exceptions(handsets, onPeople, (answer) => !strange(answer))).toEqual([]);
    expect(
      await exceptions(
        routes.filter(({ isHandset }) => !isHandset),
        onHandsets,
        (answer) => !strange(answer),
      ),
    ).toEqual([]);
    expectProblem(await muster.people('GET', '/tuf/main/main/timestamp.json'), 404, 'route.unknown');
    expectProblem(await muster.handset('GET', '/v1/me'), 404, 'route.unknown');
  });

  it('with headers over 16 KiB is refused by the protocol', async () => {
    const answer = await muster.people('GET', '/v1/me', { headers: { 'x-large': 'x'.repeat(17_000) } });
    expect(answer.status).toBe(431);
  });
});

describe('an odd name', () => {
  const labels: [what: string, url: string, bodyOf: (name: string) => object, pointer: string][] = [
    ['a campaign', '/v1/campaigns', (name) => ({ name, contents: [contentId] }), '/name'],
    ['a token', '/v1/tokens', (name) => ({ name, roles: ['viewer'] }), '/name'],
    ['an enrolment code', '/v1/enrolment-codes', (label) => ({ label }), '/label'],
    [
      'a person',
      '/v1/users',
      (name) => ({ name, email: `${randomUUID()}@main.test`, roles: [], password: randomBytes(12).toString('hex') }),
      '/name',
    ],
  ];

  it.each(labels)('is a label like any other for %s', async (_, url, bodyOf, pointer) => {
    for (const name of ['../../etc/passwd', 'constructor', '__proto__', 'اسم ١', '<script>', '=cmd()', '💾']) {
      const answer = expectStatus(await muster.people('POST', url, { body: bodyOf(name) }), 201);
      expect((answer.body as Record<string, unknown>)[pointer.slice(1)]).toBe(name);
    }
    end = await muster.settledEnd();
  });

  it.each(labels)('that cannot be shown or is too long is refused for %s', async (_, url, bodyOf, pointer) => {
    for (const name of ['a\0b', '\u001b[31m', 'x'.repeat(300)]) {
      const answer = await muster.people('POST', url, { body: bodyOf(name) });
      expect([name, isProblem(answer, 400), fieldsOf(answer)]).toEqual([name, true, expect.arrayContaining([pointer])]);
    }
    await nothingHappened();
  });

  it.each(['../x', '__proto__', 'A', 'a\0b', 'x'.repeat(300), 'ü', '-a', ''])(
    'is no channel and no tenant: %j',
    async (name) => {
      for (const [url, body] of [
        ['/v1/channels', { channel: name }],
        ['/v1/tenants', { tenant: name, name: 'T' }],
      ] as const) {
        const answer = await muster.people('POST', url, { body });
        expect([url, isProblem(answer, 400, 422), fieldsOf(answer)]).toEqual([
          url,
          true,
          expect.arrayContaining([url === '/v1/channels' ? '/channel' : '/tenant']),
        ]);
      }
      await nothingHappened();
    },
  );
});

describe('the output of the server', () => {
  it('holds nothing secret of all this, and no failure of ours', async () => {
    const password = muster.secret(randomBytes(12).toString('hex'));
    const session = (body: Sending['body']) => muster.people('POST', '/v1/sessions', { token: '', body });
    expectProblem(await session({ tenant: 'main', email: 'a@b.test', password }), 401, 'auth.invalid');
    expectProblem(await session(`{"password":"${password}",}`), 400, 'request.malformed');
    expectProblem(await session({ tenant: 'main', email: 'a\0b', password }), 400, 'request.malformed', '/email');
    expectProblem(await session({ [password]: 1 }), 400, 'validation.failed');
    const token = muster.secret(`mtk_main.${randomBytes(32).toString('base64url')}`);
    expectProblem(await muster.people('GET', '/v1/me', { token }), 401, 'auth.invalid');
    expect(muster.printedSecrets()).toEqual([]);
    expect(
      muster.server.process
        .output()
        .split('\n')
        .filter((line) => line.includes('request.failed')),
    ).toEqual([]);
  });
});
