import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, createServer as createPlain } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { signatureOf } from '../message-signature.js';
import { TargetDoor } from './target-door.js';

/** Names of this file, as a resolver would answer. */
const NAMES: Record<string, string[]> = {
  'home.example': ['127.0.0.1'],
  'metadata.example': ['169.254.169.254'],
  'both.example': ['8.8.8.8', 'fe80::1'],
  'nat.example': ['64:ff9b::a9fe:a9fe'],
  'public.example': ['8.8.8.8'],
};

vi.mock('node:dns', () => ({
  lookup: (host: string, options: { all?: boolean }, done: (...answer: unknown[]) => void) => {
    const found = (NAMES[host] ?? []).map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    if (found.length === 0) done(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }));
    else if (options.all === true) done(null, found);
    else done(null, found[0]!.address, found[0]!.family);
  },
}));

const NOW = Date.parse('2026-12-01T09:00:00.000Z');
const doorOf = (privateTargets?: boolean) =>
  new TargetDoor({ dataDir: '', ...(privateTargets === undefined ? {} : { privateTargets }) }, { now: () => NOW });
const open = doorOf(true);
const shut = doorOf();

let server: Server;
let port = 0;
let status = 204;
const seen: { headers: IncomingMessage['headers']; body: string }[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString('utf8')));
    request.on('end', () => {
      seen.push({ headers: request.headers, body });
      response.writeHead(status, { location: `http://127.0.0.1:${port}/elsewhere` }).end('x'.repeat(100_000));
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => server.close());

const post = (door: TargetDoor, host: string, protocol = 'http') =>
  door.post({ url: `${protocol}://${host}:${port}/hook`, secret: 's' }, '{"a":1}', {
    headers: { 'muster-delivery': 'd' },
  });

describe('a message', () => {
  it('that is answered by another protocol is not taken, and nobody waits for it', async () => {
    const odd = createPlain((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.write('HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'));
    });
    await new Promise<void>((done) => odd.listen(0, '127.0.0.1', done));
    const url = `http://127.0.0.1:${(odd.address() as AddressInfo).port}/`;
    const sent = await open.post({ url, secret: 's' }, '{}', {});
    expect(sent).toEqual({ isTaken: false, failure: 'closed without an answer' });
    odd.close();
  });

  it('is signed, and taken with any status of 2xx', async () => {
    expect(await post(open, '127.0.0.1')).toEqual({ isTaken: true, failure: null });
    expect(seen.at(-1)).toMatchObject({
      body: '{"a":1}',
      headers: {
        'content-type': 'application/json',
        'muster-signature': signatureOf('s', '{"a":1}', NOW),
        'muster-delivery': 'd',
      },
    });
  });

  it.each([302, 307, 308, 400, 500])('is not taken with %i, and goes nowhere else', async (answered) => {
    status = answered;
    const before = seen.length;
    expect(await post(open, '127.0.0.1')).toEqual({ isTaken: false, failure: `status ${answered}` });
    expect(seen.length).toBe(before + 1);
    status = 204;
  });

  it('that cannot be sent says why', async () => {
    const closed = { url: 'http://127.0.0.1:1/', secret: 's' };
    expect(await open.post(closed, '{}')).toEqual({ isTaken: false, failure: 'ECONNREFUSED' });
    expect(await post(open, 'nowhere.example', 'https')).toEqual({ isTaken: false, failure: 'ENOTFOUND' });
  });

  it('does not go to a private address unless the server allows it, by its number or by a name', async () => {
    const before = seen.length;
    for (const [host, protocol] of [
      ['127.0.0.1', 'http'],
      ['[::ffff:127.0.0.1]', 'https'],
      ['localhost', 'https'],
      ['home.example', 'https'],
    ] as const)
      expect([host, await post(shut, host, protocol)]).toEqual([
        host,
        { isTaken: false, failure: expect.stringContaining('MUSTER_PRIVATE_TARGETS') as string },
      ]);
    expect(seen.length).toBe(before);
    expect(await post(open, 'home.example')).toEqual({ isTaken: true, failure: null });
  });

  it.each(['metadata.example', 'both.example', 'nat.example', '169.254.169.254', '[64:ff9b::a9fe:a9fe]'])(
    'never goes to %s, where a cloud keeps credentials',
    async (host) => {
      for (const door of [open, shut])
        expect(await post(door, host, 'https')).toMatchObject({
          isTaken: false,
          failure: expect.stringContaining('credentials') as string,
        });
    },
  );

  it('goes by http to no public address', async () =>
    expect(await post(open, 'public.example')).toMatchObject({
      isTaken: false,
      failure: expect.stringContaining('https') as string,
    }));
});
