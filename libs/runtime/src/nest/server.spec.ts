import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { selfSigned } from '../../../../test/support/certificate.js';
import { type Log, silentLog } from '../log.js';
import { createServer, type MusterServer } from './server.js';
import { ShortCuts } from './short-cut.js';

class Parts {}

describe('a server', () => {
  it('whose start fails half-way, ends what had begun', async () => {
    const said: string[] = [];
    const relay = {
      onApplicationBootstrap: () => void said.push('begun'),
      onApplicationShutdown: () => void said.push('ended'),
    };
    const projections = {
      async onApplicationBootstrap() {
        await sleep(10);
        throw new Error('the database went');
      },
    };
    const providers = [relay, projections].map((part, n) => ({ provide: `part ${n}`, useValue: part }));
    await expect(createServer({ module: Parts, providers }, { log: silentLog })).rejects.toThrow('the database went');
    expect(said).toEqual(['begun', 'ended']);
  });

  it('shuts down what was imported last first, and behind its listeners', async () => {
    const said: string[] = [];
    let isReachable: () => Promise<boolean> = async () => true;
    const globalModule = (name: string) => {
      const onApplicationShutdown = async () =>
        void said.push(`${name}, ports ${(await isReachable()) ? 'open' : 'closed'}`);
      const providers = [{ provide: name, useValue: { onApplicationShutdown } }];
      return { module: class {}, global: true, providers };
    };
    const imports = [globalModule('pools'), globalModule('a room')];
    const server = await createServer({ module: Parts, imports, providers: [ShortCuts] }, { log: silentLog });
    const { people } = await server.listen({ people: { host: '127.0.0.1', port: 0 } });
    isReachable = async () => {
      const socket = connect(people, '127.0.0.1');
      return once(socket, 'connect').then(
        () => socket.destroy() && true,
        () => false,
      );
    };
    expect(await isReachable()).toBe(true);
    await server.close();
    expect(said).toEqual(['a room, ports closed', 'pools, ports closed']);
  });

  it('answers what is no request at all by a problem document too, on both ports', async () => {
    const server = await createServer({ module: Parts, providers: [ShortCuts] }, { log: silentLog });
    const host = '127.0.0.1';
    try {
      const handset = { host, port: 0, tls: await selfSigned() };
      const ports = await server.listen({ people: { host, port: 0 }, handset });
      const answers = [];
      for (const text of [`GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 'no HTTP\r\n\r\n'])
        for (const open of [
          () => connect(ports.people, host),
          () => connectTls({ host, port: ports.handset!, rejectUnauthorized: false }),
        ])
          answers.push(await exchange(open(), text));
      const headers = { status: 431, code: 'request.headers-too-large', type: 'application/problem+json' };
      const broken = { status: 400, code: 'request.malformed', type: 'application/problem+json' };
      expect(answers).toEqual([headers, headers, broken, broken]);
    } finally {
      await server.close();
    }
  });
});

describe('the port of handsets', () => {
  const host = '127.0.0.1';
  const lines: string[] = [];
  const error: Log['error'] = (event, fields) => void lines.push(`${event} ${String(fields?.err)}`);
  let server: MusterServer;
  let port: number;
  beforeEach(async () => {
    lines.length = 0;
    const log: Log = { ...silentLog, error };
    server = await createServer({ module: Parts, providers: [ShortCuts] }, { log });
    const ports = await server.listen({
      people: { host, port: 0 },
      handset: { host, port: 0, tls: await selfSigned() },
    });
    port = ports.handset!;
  });
  afterEach(() => server.close());

  const request = 'GET /enrol/nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
  const open = (session?: Buffer) => connectTls({ host, port, rejectUnauthorized: false, ...(session && { session }) });

  it('resumes under a renewed certificate what began under the one before', async () => {
    const first = open();
    const ticket = new Promise<Buffer>((resolve) => first.once('session', resolve));
    await exchange(first, request);
    const isResumed = async (socket: TLSSocket) => {
      await once(socket, 'secureConnect');
      const isReused = socket.isSessionReused(); // gone with the connection
      await exchange(socket, request);
      return isReused;
    };
    expect(await isResumed(open(await ticket))).toBe(true);
    server.renew({ handset: await selfSigned('CN=renewed') });
    expect(await isResumed(open(await ticket))).toBe(true);
  });

  it('leaves to the ordinary route what a short cut fails at, and says why', async () => {
    server.app.get(ShortCuts).add(() => {
      throw new Error('no such row');
    });
    expect(await exchange(open(), request)).toMatchObject({ status: 404 });
    expect(lines).toEqual(['short-cut.failed Error: no such row']);
  });

  it('cuts an answer that a short cut has begun and fails at, and serves the next', async () => {
    let isBroken = true;
    server.app.get(ShortCuts).add((_, response) => {
      if (!isBroken) return false;
      response.writeHead(200, { 'content-length': 2 }).write('h');
      throw new Error('half-way');
    });
    const cut = open();
    cut.on('error', () => undefined);
    expect(await exchange(cut, request)).not.toMatchObject({ status: 404 });
    isBroken = false;
    expect(await exchange(open(), request)).toMatchObject({ status: 404 });
    expect(lines).toEqual(['short-cut.failed Error: half-way']);
  });
});

/** Status, code and content type of the answer; the server has closed the connection. */
async function exchange(socket: Socket, text: string): Promise<object> {
  let answer = '';
  socket.on('data', (part) => (answer += part.toString()));
  socket.write(text);
  await once(socket, 'close');
  const [, status, type, body = '{}'] =
    /^HTTP\/1\.1 (\d+) [^]*?content-type: (\S+)[^]*?\r\n\r\n([^]*)$/i.exec(answer) ?? [];
  return { status: Number(status), code: (JSON.parse(body) as { code?: string }).code, type };
}
