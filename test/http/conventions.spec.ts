import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { Body, Controller, Get, Module, Param, Patch, Post, Query, Req } from '@nestjs/common';
import { IsInt, IsString } from 'class-validator';
import type { FastifyRequest } from 'fastify';
import supertest from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DomainError, silentLog, systemClock } from '#runtime/index.js';
import {
  BodyLimit,
  type Claim,
  createServer,
  Cursors,
  IDEMPOTENCY_STORE,
  type IdempotencyScope,
  type IdempotencyStore,
  IfMatch,
  type MusterServer,
  type Page,
  PageQuery,
  READINESS_CHECKS,
  registerStatus,
  requireVersion,
  RouteSetting,
  RuntimeModule,
  type StoredAnswer,
  StreamsBody,
} from '#runtime/nest/runtime.module.js';
import { selfSigned } from '../support/certificate.js';

class ThingDto {
  @IsString() name!: string;
  @IsInt() size!: number;
}

const things = Array.from({ length: 7 }, (_, n) => ({ id: `t${n}` }));
let thing = { name: 'first', version: 3 };
let made = 0;
let gate: Promise<void> = Promise.resolve();
let ready = true;

@Controller('v1/things')
class ThingController {
  constructor(private readonly cursors: Cursors) {}

  @Get()
  list(@Query() query: PageQuery): Page<{ id: string }> {
    const after = this.cursors.after('things', query)?.[0];
    const rows = things.filter(({ id }) => after === undefined || id > String(after)).slice(0, query.limit + 1);
    return this.cursors.page('things', query, rows, ({ id }) => [id]);
  }

  @Get('one')
  one(): { name: string; version: number } {
    return thing;
  }

  @Patch('one')
  rename(@Body() { name }: ThingDto, @IfMatch() version: number | undefined): { name: string; version: number } {
    requireVersion(version, thing.version);
    thing = { name, version: thing.version + 1 };
    return thing;
  }

  @Post()
  async make(@Body() { name }: ThingDto): Promise<{ name: string; n: number }> {
    await gate;
    if (name === 'bad') throw new DomainError('thing.bad', {}, 'not this name', [{ pointer: '/name', message: 'bad' }]);
    return { name, n: ++made };
  }

  @Post('small')
  @RouteSetting({ showsSecret: true })
  @BodyLimit(100)
  small(): object {
    return {};
  }

  @Post('stream')
  @StreamsBody()
  async stream(@Req() request: FastifyRequest): Promise<{ bytes: number }> {
    let bytes = 0;
    for await (const chunk of request.raw) bytes += (chunk as Buffer).length;
    return { bytes };
  }

  @Get('refused/:code')
  refuse(@Param('code') code: string): void {
    throw new DomainError(code, {}, 'because');
  }

  @Get('broken')
  broken(): void {
    throw new Error('password hunter2 in an inner message');
  }
}

@Controller('d/v1')
class DeviceController {
  @Get('hello')
  hello(@Req() request: FastifyRequest): { encrypted: boolean } {
    return { encrypted: 'encrypted' in request.raw.socket };
  }
}

/** The store's contract in memory: what `apps/muster` keeps in Postgres. */
class MemoryStore implements IdempotencyStore {
  private readonly kept = new Map<string, { bodyHash: string; answer?: StoredAnswer }>();

  callerOf(): { tenant: string; caller: string } {
    return { tenant: 'acme', caller: 'person:1' };
  }
  async claim({ id }: IdempotencyScope, bodyHash: string): Promise<Claim> {
    const known = this.kept.get(id);
    if (known === undefined) {
      this.kept.set(id, { bodyHash });
      return { state: 'claimed' };
    }
    return known.answer === undefined
      ? { state: 'in-flight' }
      : { state: 'answered', bodyHash: known.bodyHash, answer: known.answer };
  }
  async finish({ id }: IdempotencyScope, answer: StoredAnswer): Promise<void> {
    const known = this.kept.get(id);
    if (known !== undefined) known.answer = answer;
  }
  async release({ id }: IdempotencyScope): Promise<void> {
    this.kept.delete(id);
  }
}

@Module({
  imports: [RuntimeModule.forRoot({ clock: systemClock, log: silentLog, about: { name: 'tiny', version: '1.2.3' } })],
  controllers: [ThingController, DeviceController],
})
class TinyModule {}

@Module({
  providers: [
    { provide: IDEMPOTENCY_STORE, useClass: MemoryStore },
    {
      provide: READINESS_CHECKS,
      useValue: [{ name: 'thing', check: async () => (ready ? undefined : Promise.reject(new Error('away'))) }],
    },
  ],
  exports: [IDEMPOTENCY_STORE, READINESS_CHECKS],
})
class PortsModule {}

let server: MusterServer;
let ports: { people: number; handset?: number };
const people = () => supertest(`http://127.0.0.1:${ports.people}`);

beforeAll(async () => {
  registerStatus({ 'thing.closed': 409 });
  const module = { module: TinyModule, imports: [{ module: PortsModule, global: true }] };
  server = await createServer(module, { log: silentLog });
  ports = await server.listen({
    people: { host: '127.0.0.1', port: 0 },
    handset: { host: '127.0.0.1', port: 0, tls: await selfSigned() },
  });
});
afterAll(() => server.close());

describe('problems', () => {
  it.each([
    ['thing.unknown', 404],
    ['thing.version-conflict', 409],
    ['thing.closed', 409],
    ['thing.too-large', 413],
    ['thing.malformed', 400],
    ['thing.unavailable', 503],
    ['auth.expired', 401],
    ['auth.forbidden', 403],
    ['thing.anything-else', 422],
  ])('answers %s with %i and names the code', async (code, status) => {
    const answer = await people().get(`/v1/things/refused/${code}`);
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(answer.body).toMatchObject({ type: `/problems/${code}`, status, code, detail: 'because' });
  });

  it('carries the trace of the caller', async () => {
    const traceId = randomBytes(16).toString('hex');
    const answer = await people().get('/v1/things/refused/a.b').set('traceparent', `00-${traceId}-00f067aa0ba902b7-01`);
    expect(answer.body).toMatchObject({ traceId });
  });

  it('says nothing of the inside when a fault is ours', async () => {
    const answer = await people().get('/v1/things/broken');
    expect(answer.body).toMatchObject({ status: 500, code: 'internal' });
    expect(answer.text).not.toContain('hunter2');
  });

  it('answers an unknown route and unreadable JSON as problems too', async () => {
    expect((await people().get('/v1/nothing')).body).toMatchObject({ status: 404, code: 'route.unknown' });
    const broken = await people().post('/v1/things').set('content-type', 'application/json').send('{"name":');
    expect(broken.body).toMatchObject({ status: 400, code: 'request.malformed' });
  });

  it.each([
    ['that is no percent encoding', '/v1/things/refused/%zz', 400, 'request.malformed'],
    ['with U+0000', '/v1/things/refused/a%00b', 400, 'request.malformed'],
    ['with a part over its length', `/v1/things/refused/${'x'.repeat(300)}`, 414, 'request.address-too-long'],
  ])('answers an address %s as a problem too', async (_, url, status, code) => {
    const answer = await people().get(url);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(answer.body).toMatchObject({ status, code });
  });
});

describe('bodies', () => {
  it('names each field at fault, and fields that nobody asked for', async () => {
    const answer = await people().post('/v1/things').send({ size: 'x', surplus: 1 });
    expect(answer.status).toBe(400);
    const { errors } = answer.body as { errors: { pointer: string }[] };
    expect(errors.map(({ pointer }) => pointer).sort()).toEqual(['/name', '/size', '/surplus']);
  });

  it.each(['__proto__', 'constructor'])('refuses a body with the key %s', async (key) => {
    const body = `{"name":"a","size":1,"${key}":{"prototype":{"x":1}}}`;
    const answer = await people().post('/v1/things').set('content-type', 'application/json').send(body);
    expect(answer.status).toBe(400);
  });

  it('names the place where JSON is not what every reader would read', async () => {
    const post = people().post('/v1/things').set('content-type', 'application/json');
    const answer = await post.send('{"name":"a","size":1,"name":"b"}');
    expect(answer.body).toMatchObject({ status: 400, code: 'request.malformed', errors: [{ pointer: '/name' }] });
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/xml'])(
    'takes no %s for JSON',
    async (type) => {
      const answer = await people().post('/v1/things').set('content-type', type).send('{"name":"a","size":1}');
      expect(answer.body).toMatchObject({ status: 415, code: 'request.media-type' });
    },
  );

  it('refuses a compressed body, so that there are no bombs', async () => {
    const answer = await people()
      .post('/v1/things')
      .set('content-type', 'application/json')
      .set('content-encoding', 'gzip')
      .send(gzipSync('{"name":"a","size":1}'));
    expect(answer.body).toMatchObject({ status: 415, code: 'request.media-type' });
  });

  it('refuses a body over the limit of its route', async () => {
    const answer = await people()
      .post('/v1/things/small')
      .send({ name: 'x'.repeat(200) });
    expect(answer.body).toMatchObject({ status: 413, code: 'request.too-large' });
  });

  it('gives a streaming route its bytes unread', async () => {
    const answer = await people()
      .post('/v1/things/stream')
      .set('content-type', 'application/offset+octet-stream')
      .send(Buffer.alloc(600_000));
    expect(answer.body).toEqual({ bytes: 600_000 });
  });
});

describe('preconditions', () => {
  it('gives the version as a strong ETag and answers 304 while it holds', async () => {
    const first = await people().get('/v1/things/one');
    expect(first.headers.etag).toBe(`"v${thing.version}"`);
    const again = await people().get('/v1/things/one').set('if-none-match', String(first.headers.etag));
    expect([again.status, again.text]).toEqual([304, '']);
  });

  it.each([
    [undefined, 428, 'precondition.required'],
    ['"v1"', 412, 'precondition.failed'],
    ['v3', 400, 'precondition.malformed'],
  ])('refuses a change with If-Match %s by %i', async (etag, status, code) => {
    const call = people().patch('/v1/things/one').send({ name: 'second', size: 1 });
    const answer = await (etag === undefined ? call : call.set('if-match', etag));
    expect(answer.body).toMatchObject({ status, code });
    expect(thing.name).toBe('first');
  });

  it('answers a conflict over a named version as 412', async () => {
    const answer = await people().get('/v1/things/refused/log.version-conflict').set('if-match', '"v2"');
    expect(answer.body).toMatchObject({ status: 412, code: 'precondition.failed' });
  });

  it('changes with the current version and gives the next', async () => {
    const answer = await people().patch('/v1/things/one').set('if-match', '"v3"').send({ name: 'second', size: 1 });
    expect([answer.status, answer.headers.etag]).toEqual([200, '"v4"']);
  });
});

describe('pages', () => {
  it('walks a list to its end by following Link', async () => {
    const seen: string[] = [];
    for (let url: string | undefined = '/v1/things?limit=3'; url !== undefined; ) {
      const answer = await people().get(url);
      seen.push(...(answer.body as Page<{ id: string }>).items.map(({ id }) => id));
      const { link } = answer.headers as Record<string, string>;
      url = /<([^>]+)>; rel="next"/.exec(link ?? '')?.[1];
    }
    expect(seen).toEqual(things.map(({ id }) => id));
  });

  it('refuses a cursor that was changed or belongs to another list', async () => {
    const other = new Cursors(randomBytes(32)).encode('things', ['t1']);
    const answer = await people().get(`/v1/things?cursor=${other}`);
    expect(answer.body).toMatchObject({ status: 400, code: 'cursor.malformed', errors: [{ pointer: '/cursor' }] });
  });

  it('refuses a limit over 200', async () => {
    expect((await people().get('/v1/things?limit=201')).body).toMatchObject({ code: 'validation.failed' });
  });
});

describe('Idempotency-Key', () => {
  const post = (key: string, name = 'a') =>
    people().post('/v1/things').set('idempotency-key', key).send({ name, size: 1 });

  it('replays the stored answer to the same body and does nothing again', async () => {
    const before = made;
    const first = await post('"k-1"');
    const second = await post('k-1');
    expect(second.body).toEqual(first.body);
    expect([second.status, second.headers['idempotent-replayed'], made]).toEqual([201, 'true', before + 1]);
  });

  it('refuses the key with another body', async () => {
    await post('k-2');
    expect((await post('k-2', 'b')).body).toMatchObject({ status: 422, code: 'idempotency.key-reused' });
  });

  it('refuses the key while the first request runs', async () => {
    let open = (): void => undefined;
    gate = new Promise((resolve) => (open = resolve));
    const first = post('k-3').then((answer) => answer.status);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const second = await post('k-3');
    open();
    expect(second.body).toMatchObject({ status: 409, code: 'idempotency.in-flight' });
    expect(await first).toBe(201);
  });

  it('decides a refused request anew', async () => {
    expect((await post('k-4', 'bad')).status).toBe(422);
    expect((await post('k-4', 'good')).status).toBe(201);
  });

  it('refuses a key that is not visible ASCII', async () => {
    expect((await post('a b')).body).toMatchObject({ code: 'idempotency.key-malformed' });
  });
});

describe('two ports', () => {
  const handset = (path: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      httpsRequest(
        { port: ports.handset, host: '127.0.0.1', path, rejectUnauthorized: false, agent: false },
        (answer) => {
          answer.resume();
          resolve(answer.statusCode);
        },
      )
        .on('error', reject)
        .end();
    });

  it('serves the routes of handsets on theirs only, however the path is spelt', async () => {
    expect(await handset('/d/v1/hello')).toBe(200);
    expect((await people().get('/d/v1/hello')).status).toBe(404);
    expect((await people().get('/%64/v1/hello')).status).toBe(404);
  });

  it('serves the routes of people on theirs only', async () => {
    expect(await handset('/v1/things')).toBe(404);
    expect(await handset('/%761/things')).toBe(404);
    expect(await handset('/metrics')).toBe(404);
  });

  it('cuts a client whose headers never end', async () => {
    const socket = connect(ports.people, '127.0.0.1');
    socket.write('GET /livez HTTP/1.1\r\nhost: x\r\n');
    const drip = setInterval(() => socket.write('x: y\r\n'), 500);
    const started = Date.now();
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    socket.on('error', () => undefined); // a reset is an end, too
    await once(socket, 'close');
    clearInterval(drip);
    expect(answer).toContain('408');
    expect(Date.now() - started).toBeLessThan(9_000);
  });

  it('cuts a client whose body never ends', async () => {
    const socket = connect(ports.people, '127.0.0.1');
    socket.write(
      'POST /v1/things HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n',
    );
    const drip = setInterval(() => socket.write(' '), 500);
    const started = Date.now();
    socket.on('error', () => undefined);
    socket.resume();
    await once(socket, 'close');
    clearInterval(drip);
    expect(Date.now() - started).toBeLessThan(14_000);
  });

  it('refuses headers over 16 KiB', async () => {
    const answer = await people().get('/livez').set('x-long', 'y'.repeat(17_000));
    expect(answer.status).toBe(431);
  });

  it('tells browsers that answers are data', async () => {
    const headers = (await people().get('/livez')).headers as Record<string, string>;
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
  });
});

describe('operation', () => {
  it('tells whether it lives, is ready, and what it is', async () => {
    expect((await people().get('/livez')).body).toEqual({ alive: true });
    expect((await people().get('/readyz')).body).toEqual({ ready: true, checks: [{ name: 'thing', ok: true }] });
    ready = false;
    const away = await people().get('/readyz');
    expect([away.status, away.body]).toEqual([
      503,
      { ready: false, checks: [{ name: 'thing', ok: false, reason: 'away' }] },
    ]);
    expect((await people().get('/version')).body).toEqual({ name: 'tiny', version: '1.2.3' });
  });

  it('counts requests by route pattern, never by id', async () => {
    const { text } = await people().get('/metrics');
    expect(text).toContain('route="/v1/things/refused/:code"');
    expect(text).not.toContain('thing.closed');
  });
});
