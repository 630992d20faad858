import { readFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Enrolled, expectStatus, Installation } from '../support/installation.js';
import { canRun } from '../support/prerequisites.js';
import { run } from '../support/processes.js';

/*
 * slowhttptest, a tool of others for such attacks, against both ports at once: slow headers, slow bodies, slow reading. A poll
 * and a request of people are answered in time meanwhile, and the server lets go of every connection in time.
 */

/** On each port, fifty more a second: it is about slow ones, not about a flood. */
const CONNECTIONS = 300;
/** So many are open at once on each port, or it was no attack: the first are cut off while the last still come. */
const HELD = CONNECTIONS / 3;
/** And no more than this when the server has let go: those of the test itself, and the tool's own question. */
const LEFT = 10;
/** How long the tool holds on at most. */
const SECONDS = 50;
const IN_TIME_MS = 3_000;

let muster: Installation;
let device: Enrolled;

interface Attack {
  options: string[];
  people: string;
  handset: string;
  /** By when the server has let go: headers are late after 5 s, bodies after 10, a connection that asks for nothing after 30. */
  withinSeconds: number;
}

// A length that both routes take: a longer one is refused at once, and the connection with it.
const body = ['-t', 'POST', '-f', 'application/json', '-s', '4000', '-x', '8'];
const attacks: Record<string, Attack> = {
  'slow headers': {
    options: ['-H', '-i', '1', '-t', 'GET', '-x', '24'],
    people: '/v1/me',
    handset: '/enrol/v1/ca',
    withinSeconds: 30,
  },
  'slow bodies': {
    options: ['-B', '-i', '1', ...body],
    people: '/v1/sessions',
    handset: '/enrol/v1',
    withinSeconds: 35,
  },
  // What is left of an answer lies with the kernel, so the tool sees no end; the kernel tells of the server's end.
  'slow reading': {
    options: ['-X', '-w', '16', '-y', '32', '-n', '2', '-z', '4'],
    people: '/metrics',
    handset: '/tuf/main/main/1.root.json',
    withinSeconds: 48,
  },
};

/** What the tool, which asks for itself too, said of the service each time, and how it ended. */
async function attack(
  url: string,
  options: string[],
): Promise<{ code: number | null; said: string[]; output: string }> {
  const size = ['-c', String(CONNECTIONS), '-r', '50', '-l', String(SECONDS), '-p', '3'];
  const { code, output } = await run('slowhttptest', [...options, ...size, '-u', url]);
  const plain = stripVTControlCharacters(output);
  return { code, said: [...plain.matchAll(/service available:\s+(\w+)/g)].map(([, said]) => said!), output: plain };
}

/** Connections to a port of this machine, by the kernel, which counts one until its server or its client closes it. */
function connectionsTo(port: number): number {
  const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = ['tcp', 'tcp6'].flatMap((family) => readFileSync(`/proc/net/${family}`, 'utf8').split('\n').slice(1));
  return lines.filter((line) => {
    const [, local = '', , state] = line.trim().split(/\s+/);
    return local.endsWith(end) && state === ESTABLISHED;
  }).length;
}
const ESTABLISHED = '01';

interface Watched {
  /** How long each answer took, ms. */
  took: number[];
  /** By port, the most at once. */
  most: number[];
  /** When the server had let go of what the attack held on both ports, seconds from its beginning. */
  letGoAfter: number | undefined;
}

/** Polls and asks, one after the other, until the work is done and the server has let go, or should have. */
async function serveMeanwhile(work: Promise<unknown>, ports: number[], withinSeconds: number): Promise<Watched> {
  const watched: Watched = { took: [], most: ports.map(() => 0), letGoAfter: undefined };
  let isDone = false;
  void work.finally(() => (isDone = true));
  const headers = { 'muster-trigger': 'timer;v=1' };
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1_000;
  while (!isDone || (watched.letGoAfter === undefined && seconds() < withinSeconds)) {
    for (const ask of [
      () => muster.handset('GET', '/tuf/main/main/timestamp.json', { device, headers }),
      () => muster.people('GET', '/v1/me'),
    ]) {
      const began = performance.now();
      expectStatus(await ask(), 200);
      watched.took.push(performance.now() - began);
    }
    const open = ports.map(connectionsTo);
    watched.most = open.map((count, i) => Math.max(count, watched.most[i]!));
    if (open.some((count) => count > LEFT)) watched.letGoAfter = undefined;
    else if (watched.most.every((count) => count >= HELD)) watched.letGoAfter ??= seconds();
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  return watched;
}

describe.skipIf(!canRun('slowhttptest', 'attacks by slow HTTP'))('slowhttptest', () => {
  beforeAll(async () => {
    muster = await Installation.start('slow-http');
    device = await muster.enrol();
  });
  afterAll(() => muster?.stop());

  it.each(Object.keys(attacks))(`with ${CONNECTIONS} connections of %s on each port harms nobody`, async (name) => {
    const { options, people, handset, withinSeconds } = attacks[name]!;
    const { url, handsetPort } = muster.server;
    const both = Promise.all([
      attack(`${url}${people}`, options),
      attack(`https://127.0.0.1:${handsetPort}${handset}`, options),
    ]);
    const ports = [Number(new URL(url).port), handsetPort];
    const { took, most, letGoAfter } = await serveMeanwhile(both, ports, withinSeconds);
    const slowest = Math.round(Math.max(...took));
    const gone = letGoAfter?.toFixed(0);
    console.log(
      `${name}: ${took.length} answers, the slowest after ${slowest} ms; held ${most.join(' and ')}, let go after ${gone} s`,
    );
    for (const { code, said, output } of await both) {
      expect(code, output).toBe(0);
      expect(new Set(said), output).toEqual(new Set(['YES']));
    }
    for (const count of most) expect(count, 'connections that the attack held on a port').toBeGreaterThanOrEqual(HELD);
    expect(took.length).toBeGreaterThan(8);
    expect(slowest).toBeLessThan(IN_TIME_MS);
    expect(letGoAfter).toBeLessThan(withinSeconds);
  });
});
