import { once } from 'node:events';
import { createServer } from 'node:https';
import { type AddressInfo } from 'node:net';
import { type TLSSocket } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type HandsetErrorCode } from './errors.js';
import { type Transport } from './ports.js';
import { sendContent, type TestServer, testAuthority, testServer } from './test-server.js';
import { readBody } from './device-api.js';
import { httpsTransport, type TransportOptions } from './transport.js';

const refused = (code: HandsetErrorCode) => expect.objectContaining({ code }) as Error;

describe('https transport', () => {
  let server: TestServer;
  let transport: Transport | undefined;
  beforeAll(async () => (server = await testServer()));
  afterAll(() => server.close());
  afterEach(() => transport?.close());

  const open = (options: Partial<TransportOptions> = {}): Transport =>
    (transport = httpsTransport({ origin: server.origin, ca: server.authority.certificate, ...options }));
  const get = async (maxBytes = 1_000, options: Partial<TransportOptions> = {}) =>
    readBody(await open(options).send({ method: 'GET', url: '/x', maxBytes }));

  it('brings status, headers and body, and asks for no compression', async () => {
    server.behave((request, response) =>
      response.writeHead(200, { etag: '"1"' }).end(request.headers['accept-encoding']),
    );
    const answer = await open().send({ method: 'GET', url: '/x', maxBytes: 100 });
    expect(answer).toMatchObject({ status: 200, headers: { etag: '"1"' } });
    expect(Buffer.from(await readBody(answer)).toString()).toBe('identity');
  });

  it('shows its client certificate', async () => {
    const { certificate, key } = await server.authority.issue('device-7');
    server.behave((request, response) => {
      response.end((request.socket as TLSSocket).getPeerCertificate().subject.CN);
    });
    expect(Buffer.from(await get(100, { certificate, key })).toString()).toBe('device-7');
  });

  it('resumes the TLS session on the next connection', async () => {
    const resumed: boolean[] = [];
    server.behave((_, response) => response.writeHead(200, { connection: 'close' }).end('ok'));
    const poller = open({ onExchange: ({ isResumed }) => resumed.push(isResumed) });
    for (let poll = 0; poll < 3; poll++) await readBody(await poller.send({ method: 'GET', url: '/x', maxBytes: 9 }));
    expect(resumed).toEqual([false, true, true]);
  });

  it('asks again on a new connection when a kept one was closed under the request', async () => {
    server.behave((_, response) => response.end('ok'));
    const poller = open();
    await readBody(await poller.send({ method: 'GET', url: '/x', maxBytes: 9 }));
    server.cut();
    expect((await poller.send({ method: 'GET', url: '/x', maxBytes: 9 })).status).toBe(200);
  });

  it('refuses a server of another CA with transport.unreachable', async () => {
    const other = await testAuthority();
    await expect(get(9, { ca: other.certificate })).rejects.toThrow(refused('transport.unreachable'));
  });

  it('refuses a certificate that does not hold at this hour with transport.certificate-time', async () => {
    const day = (n: number) => new Date(Date.now() + n * 86_400_000);
    for (const hours of [
      { notBefore: day(1), notAfter: day(2) },
      { notBefore: day(-2), notAfter: day(-1) },
    ]) {
      const { certificate, key } = await server.authority.issue('server', hours);
      const other = createServer({ cert: certificate, key }).listen(0, '127.0.0.1');
      await once(other, 'listening');
      const origin = `https://127.0.0.1:${(other.address() as AddressInfo).port}`;
      await expect(get(9, { origin })).rejects.toThrow(refused('transport.certificate-time'));
      other.close();
    }
  });

  it('trusts nobody without a CA', async () => {
    await expect(get(9, { ca: undefined })).rejects.toThrow(refused('transport.unreachable'));
  });

  it('refuses an announced length over the cap with transport.too-large', async () => {
    server.behave((_, response) => response.end('x'.repeat(11)));
    await expect(get(10)).rejects.toThrow(refused('transport.too-large'));
    server.behave((_, response) => response.end('x'.repeat(10)));
    expect(await get(10)).toHaveLength(10);
  });

  it('stops endless data at the cap with transport.too-large', async () => {
    const bytes = new Uint8Array(1);
    server.behave((request, response) =>
      sendContent(request, response, { bytes, etag: '"a"', misbehaviour: { kind: 'endless' } }),
    );
    await expect(get(1_000_000)).rejects.toThrow(refused('transport.too-large'));
  });

  it('gives up below the least rate with transport.too-slow', async () => {
    const bytes = new Uint8Array(1_000);
    server.behave((request, response) =>
      sendContent(request, response, { bytes, etag: '"a"', misbehaviour: { kind: 'slow' } }),
    );
    const pace = { minBytesPerSecond: 1024, windowMs: 300 };
    await expect(get(1_000, { pace })).rejects.toThrow(refused('transport.too-slow'));
  });

  it('gives up at the deadline with transport.deadline, though bytes come', async () => {
    const bytes = new Uint8Array(1_000);
    server.behave((request, response) =>
      sendContent(request, response, { bytes, etag: '"a"', misbehaviour: { kind: 'slow' } }),
    );
    await expect(get(1_000, { pace: { deadlineMs: 300 } })).rejects.toThrow(refused('transport.deadline'));
  });

  it('gives up on silent headers with transport.too-slow', async () => {
    server.behave(() => undefined);
    await expect(get(10, { pace: { headersMs: 200 } })).rejects.toThrow(refused('transport.too-slow'));
  });

  it('refuses a torn body with transport.interrupted', async () => {
    const bytes = new Uint8Array(1_000);
    server.behave((request, response) =>
      sendContent(request, response, { bytes, etag: '"a"', misbehaviour: { kind: 'torn', afterBytes: 10 } }),
    );
    await expect(get(1_000)).rejects.toThrow(refused('transport.interrupted'));
  });

  it('refuses a compressed answer with transport.encoding', async () => {
    server.behave((_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('x')));
    await expect(get(1_000)).rejects.toThrow(refused('transport.encoding'));
  });

  it.each(['https://example.invalid/x', 'http://127.0.0.1/x', '//example.invalid/x'])(
    'refuses to go to %s with transport.foreign-origin',
    async (url) => {
      await expect(open().send({ method: 'GET', url, maxBytes: 9 })).rejects.toThrow(
        refused('transport.foreign-origin'),
      );
    },
  );

  it.each(['http://127.0.0.1:1', 'http://example.invalid'])('does not speak plain http to %s', (origin) => {
    expect(() => httpsTransport({ origin })).toThrow(refused('transport.foreign-origin'));
  });

  it('speaks plain http to the loopback address alone, where a test mode allows it', () => {
    expect(() => httpsTransport({ origin: 'http://127.0.0.1:1', allowsLoopbackHttp: true }).close()).not.toThrow();
    expect(() => httpsTransport({ origin: 'http://10.0.0.1', allowsLoopbackHttp: true })).toThrow(
      refused('transport.foreign-origin'),
    );
  });
});
