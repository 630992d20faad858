import { Client } from 'undici';
import { afterAll, beforeAll, describe } from 'vitest';
import type { Enrolled, Installation } from '../support/installation.js';
import { cpuOf } from './cpu.js';
import { bench, type Contender } from './harness.js';
import { type ServerName, Servers } from './servers.js';

/*
 * The server-side exchange: devices tell what they are and are answered what fits, with every gate asked and what is news on
 * record. A device that tells the same as before and whom nothing fits is what most requests of a large fleet are; what
 * brings a content in its answer has two facts on record before it, each time. In so many running campaigns of the channel.
 */

const CAMPAIGNS = [10, 100, 1_000] as const;
const DEVICES = 16;
const REQUESTS = 4_000;
const TRANSMITTING = 800;
/** The schema of the tenant; all that a device tells. */
const ATTRIBUTES: Readonly<Record<string, string | number>> = {
  model: 'none',
  region: 'eu',
  free: 4_096,
  ...Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`a${i}`, i])),
};

let servers: Servers;
const devices = new Map<number, readonly Enrolled[]>();

beforeAll(async () => {
  servers = await Servers.start('bench-exchange', 1, async (muster) => {
    await declare(muster);
    const contentId = await muster.publish(Buffer.alloc(4_096, 'content'));
    for (const count of CAMPAIGNS) await launch(muster, contentId, count);
    return { files: {}, headers: {} };
  });
}, 900_000);
afterAll(() => servers?.stop());

async function declare(muster: Installation): Promise<void> {
  const typeOf = (value: string | number) => ({ type: typeof value === 'number' ? 'int' : 'string' });
  const attributes = Object.fromEntries(Object.entries(ATTRIBUTES).map(([name, value]) => [name, typeOf(value)]));
  await muster.ok('PUT', '/v1/schema', { body: { version: 1, attributes } });
}

/** A channel with so many campaigns of the server's, the first of which is for models that are `m0`. */
async function launch(muster: Installation, contentId: string, count: number): Promise<void> {
  const channel = `of-${count}`;
  await muster.ok('POST', '/v1/channels', { body: { channel } });
  for (let i = 0; i < count; i += 1) {
    const selector = `device.model == "m${i}" && device.free >= ${i % 1_000} && device.region in ["eu", "us"]`;
    await muster.schedule(await muster.draft([contentId], { channel, mode: 'server', selector, name: `${i}` }));
  }
  const enrolled: Enrolled[] = [];
  for (let i = 0; i < DEVICES; i += 1) enrolled.push(await muster.enrol(muster.admin, { channel }));
  devices.set(count, enrolled);
}

/** One connection a device, each asking again as soon as it is answered. @returns how many were answered as expected */
async function ask(server: ServerName, { size, model, requests }: Asked): Promise<number> {
  const body = JSON.stringify({ attributes: { ...ATTRIBUTES, model }, zone: 'Europe/Berlin', except: [] });
  const headers = { 'content-type': 'application/json', 'muster-trigger': 'floor;v=1' };
  const isFitting = server !== 'node:https' && model === 'm0';
  let left = requests;
  const each = async ({ certificate, key }: Enrolled): Promise<void> => {
    const connect = { ca: servers.authorityOf(server), cert: certificate, key: key.privateKeyPem };
    const client = new Client(`https://localhost:${servers.portOf(server)}`, { connect });
    while (left-- > 0) {
      const answer = await client.request({ method: 'POST', path: '/d/v1/availability', headers, body });
      const text = await answer.body.text();
      if (answer.statusCode !== 200 || text.includes('"bytes"') !== isFitting)
        throw new Error(`${answer.statusCode}: ${text.slice(0, 300)}`);
    }
    await client.close();
  };
  await Promise.all(devices.get(size)!.map(each));
  return requests;
}

interface Asked {
  size: number;
  model: string;
  requests: number;
}

const asking = (name: string, server: ServerName, model: string, requests: number): Contender => ({
  name,
  run: async (size) => {
    await ask(server, { size, model, requests: requests / 4 });
    await servers.settled(server);
    return cpuOf(servers.pidsOf(server), async () => {
      const count = await ask(server, { size, model, requests });
      await servers.settled(server);
      return count;
    });
  },
});

describe('exchange', () => {
  bench({
    name: 'exchange, server-side',
    load: `One availability request after the other on each of ${DEVICES} kept connections, ${Object.keys(ATTRIBUTES).length} attributes, TLS 1.3; ${REQUESTS} that nothing fits and that tell nothing new, ${TRANSMITTING} that are answered a content of 4 KiB with its grant, on record before the answer. One core for the server, the client on another`,
    unit: 'request',
    clock: 'cpu',
    sizes: { of: 'campaigns running', values: CAMPAIGNS },
    contenders: [
      asking('node:https, bare, that reads JSON', 'node:https', 'none', REQUESTS),
      asking('campaign, nothing fits', 'campaign', 'none', REQUESTS),
      asking('campaign, a content is transmitted', 'campaign', 'm0', TRANSMITTING),
    ],
    goals: [],
    slopesBelow: { 'campaign, nothing fits': 0.2, 'campaign, a content is transmitted': 0.2 },
    notes: ['A million divided by the microseconds is the requests a second that a core answers.'],
  });
});
