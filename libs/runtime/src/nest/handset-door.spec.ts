import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../log.js';
import { HandsetDoor } from './handset-door.js';
import { TICK_MS } from '../admission.js';

/** Nothing else of this process runs meanwhile. */
const standStill = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

describe('the door for handsets', () => {
  let server: Server;
  let door: HandsetDoor;
  let served: string[];
  const ask = async (path: string) => {
    const { port } = server.address() as AddressInfo;
    const { status, headers } = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status, retryAfter: Number(headers.get('retry-after')), type: headers.get('content-type') };
  };

  beforeEach(async () => {
    served = [];
    door = new HandsetDoor(silentLog, 1);
    server = createServer(
      door.before(({ url = '' }, response) => {
        served.push(url);
        response.end();
      }),
    );
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    await new Promise((done) => setTimeout(done, 2 * TICK_MS));
  });
  afterEach(() => {
    door.close();
    server.close();
    server.closeAllConnections();
  });

  it('lets everybody in while the process keeps up', async () => {
    const answers = await Promise.all(Array.from({ length: 40 }, () => ask('/tuf/main/main/timestamp.json')));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
  });

  it('sends most away after a standstill, before any work, each with an appointment of its own', async () => {
    standStill(1_600);
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask('/tuf/main/main/timestamp.json')));
    const away = answers.filter(({ status }) => status === 503);
    expect(away.length).toBeGreaterThanOrEqual(6);
    expect(served).toHaveLength(8 - away.length);
    expect(new Set(away.map(({ type }) => type))).toEqual(new Set(['application/problem+json']));
    const seconds = away.map(({ retryAfter }) => retryAfter);
    expect(new Set(seconds).size).toBe(away.length); // the usual rate was nothing, and the least is one a second
    expect(Math.min(...seconds)).toBeGreaterThanOrEqual(1);
  });

  it.each(['/enrol/v1', '/enrol/v1/renew'])('holds %s in a surge', async (path) => {
    standStill(1_600);
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask(path)));
    expect(answers.some(({ status }) => status === 503)).toBe(true);
  });

  it.each(['/d/v1/facts', '/enrol/v1/ca'])(
    'does not hold %s: nobody who is inside, or before the door',
    async (path) => {
      standStill(1_600);
      const answers = await Promise.all(Array.from({ length: 20 }, () => ask(path)));
      expect(answers.every(({ status }) => status === 200)).toBe(true);
    },
  );

  it('lets everybody through once it is closed, however long ago', async () => {
    door.close();
    standStill(1_600);
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask('/tuf/main/main/timestamp.json')));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
  });
});
