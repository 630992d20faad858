import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { base64, type Enrolled, expectStatus, Installation, TUS } from '../support/installation.js';

/*
 * Clients that hold a connection and hardly send: each is cut off in less than 20 seconds, and meanwhile others are served
 * as if nothing were. What makes progress is not cut off.
 */

const EACH = 50;
const LIMIT_MS = 20_000;

let muster: Installation;
let device: Enrolled;
beforeAll(async () => {
  muster = await Installation.start('slow-clients');
  device = await muster.enrol();
});
afterAll(() => muster.stop());

const port = (): number => Number(new URL(muster.server.url).port);
const openPlain = (): Socket => connect(port(), '127.0.0.1');
const openTls = (): Socket =>
  connectTls({ host: '127.0.0.1', port: muster.server.handsetPort, ca: muster.ca, servername: 'localhost' });
const openCertified = (): Socket =>
  connectTls({
    host: '127.0.0.1',
    port: muster.server.handsetPort,
    ca: muster.ca,
    servername: 'localhost',
    cert: device.certificate,
    key: device.key.privateKeyPem,
  });

interface Slow {
  open: () => Socket;
  /** Sent at once. */
  first: string;
  /** Sent every half second, so that the connection is never idle. */
  drip: string;
}

/** Opens many, and answers after how many milliseconds each was closed by the server. */
function holdOpen({ open, first, drip }: Slow): Promise<number[]> {
  const began = performance.now();
  const one = (): Promise<number> =>
    new Promise((resolve) => {
      const socket = open();
      const dripping = setInterval(() => socket.write(drip), 500);
      const give = setTimeout(() => socket.destroy(), LIMIT_MS + 5_000);
      socket.on('error', () => undefined); // being reset is one way of being closed
      socket.on('data', () => undefined);
      socket.once('close', () => {
        clearInterval(dripping);
        clearTimeout(give);
        resolve(performance.now() - began);
      });
      socket.write(first);
    });
  return Promise.all(Array.from({ length: EACH }, one));
}

const head = (line: string, ...headers: string[]): string => [line, 'host: muster', ...headers, '', ''].join('\r\n');
const json = ['content-type: application/json', 'content-length: 60000'];

describe.concurrent('a slow client', () => {
  it(`is cut off in less than ${LIMIT_MS} ms, ${EACH} of each kind at once, while others are served`, async () => {
    const slow: Record<string, Slow> = {
      'headers of people': { open: openPlain, first: 'GET /v1/me HTTP/1.1\r\n', drip: 'x: y\r\n' },
      'headers of handsets': { open: openTls, first: 'GET /enrol/v1/ca HTTP/1.1\r\n', drip: 'x: y\r\n' },
      'a body of people': { open: openPlain, first: head('POST /v1/sessions HTTP/1.1', ...json), drip: ' ' },
      'a body of handsets': { open: openTls, first: head('POST /enrol/v1 HTTP/1.1', ...json), drip: ' ' },
      'facts of a device': { open: openCertified, first: head('POST /d/v1/facts HTTP/1.1', ...json), drip: ' ' },
      'a chunked body': {
        open: openPlain,
        first: head('POST /v1/sessions HTTP/1.1', 'content-type: application/json', 'transfer-encoding: chunked'),
        drip: '1\r\n \r\n',
      },
      'no TLS at all': { open: () => connect(muster.server.handsetPort, '127.0.0.1'), first: '\x16', drip: '\x03' },
    };
    const closings = Object.entries(slow).map(async ([kind, each]) => [kind, await holdOpen(each)] as const);
    const served = await serveMeanwhile(Promise.all(closings));
    for (const [kind, closed] of await Promise.all(closings))
      expect([kind, closed.length, Math.max(...closed) < LIMIT_MS]).toEqual([kind, EACH, true]);
    expect(served.length).toBeGreaterThan(10);
    expect(Math.max(...served)).toBeLessThan(3_000);
  });

  it('is not taken for one while its upload comes on', async () => {
    const bytes = randomBytes(28_000);
    const location = await muster.createUpload(bytes.length, `filename ${base64('slow.bin')}`);
    const status = await trickle(location, bytes, 14, 1_000);
    expect(status).toBe(204);
    const kept = await muster.people('HEAD', location, { headers: TUS });
    expect(kept.headers['upload-offset']).toBe(String(bytes.length));
  });

  it('that stops in the middle of an upload is cut off, and what it sent is kept', async () => {
    const bytes = randomBytes(28_000);
    const location = await muster.createUpload(bytes.length, `filename ${base64('stopped.bin')}`);
    const began = performance.now();
    expect(await trickle(location, bytes, 14, 1_000, 2)).toBeUndefined();
    expect(performance.now() - began).toBeLessThan(LIMIT_MS);
    const kept = Number((await muster.people('HEAD', location, { headers: TUS })).headers['upload-offset']);
    expect(kept).toBeLessThanOrEqual(4_000);
    expectStatus(await muster.append(location, bytes.subarray(kept), kept), 204);
  });
});

/** Asks both ports, one request after the other, until the work is done; answers how long each took, ms. */
async function serveMeanwhile(work: Promise<unknown>): Promise<number[]> {
  const took: number[] = [];
  let isDone = false;
  void work.finally(() => (isDone = true));
  while (!isDone) {
    for (const ask of [
      () => muster.people('GET', '/v1/me'),
      () => muster.handset('GET', '/d/v1/inbox', { device }),
      () => muster.handset('GET', '/tuf/main/main/timestamp.json'),
    ]) {
      const began = performance.now();
      expectStatus(await ask(), 200);
      took.push(performance.now() - began);
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  return took;
}

/** Sends an upload in pieces with pauses; answers the status, or undefined when it was cut off. */
function trickle(location: string, bytes: Buffer, pieces: number, pauseMs: number, stopAfter = pieces) {
  return new Promise<number | undefined>((resolve) => {
    const socket = openPlain();
    const headers = [
      `authorization: Bearer ${muster.admin}`,
      'tus-resumable: 1.0.0',
      'upload-offset: 0',
      'content-type: application/offset+octet-stream',
      `content-length: ${bytes.length}`,
    ];
    const size = bytes.length / pieces;
    let sent = 0;
    const sending = setInterval(() => {
      if (sent < stopAfter) socket.write(bytes.subarray(sent * size, (sent + 1) * size));
      sent += 1;
    }, pauseMs);
    const finish = (status: number | undefined) => {
      clearInterval(sending);
      socket.destroy();
      resolve(status);
    };
    socket.on('data', (answer) => finish(Number(/^HTTP\/1\.1 (\d{3})/.exec(answer.toString('latin1'))?.[1])));
    socket.on('error', () => undefined); // close follows
    socket.once('close', () => finish(undefined));
    socket.write(head(`PATCH ${location} HTTP/1.1`, ...headers));
  });
}
