import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { selfSigned } from '../../../../test/support/certificate.js';
import { silentLog } from '../log.js';
import { createServer } from './server.js';
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
