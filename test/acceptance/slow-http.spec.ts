import { readdirSync, readlinkSync } from 'node:fs';
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
/** So many of both ports' are there at once, or it was no attack: the first are cut off while the last still come. */
const HELD = CONNECTIONS / 2;
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

const body = ['-t', 'POST', '-f', 'application/json', '-s', '60000', '-x', '8'];
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
  // What is left of an answer lies with the kernel, so the tool sees no end; the server's own sockets tell.
  'slow reading': {
    options: ['-X', '-w', '16', '-y', '32', '-n', '2', '-z', '4'],
    people: '/metrics',
    handset: '/tuf/main/main/1.root.json',
    withinSeconds: 48,
  },
};

/** @returns whether the tool, which asks for itself too, ever found the service away */
async function attack(url: string, options: string[]): Promise<{ sawItAway: boolean; output: string }> {
  const size = ['-c', String(CONNECTIONS), '-r', '50', '-l', String(SECONDS), '-p', '3'];
  const { output } = await run('slowhttptest', [...options, ...size, '-u', url]);
  return { sawItAway: /service available:\S*\s+\S*NO/.test(output), output };
}

/** Connections and listeners that the server has open, by the kernel. */
function socketsOfServer(): number {
  const folder = `/proc/${muster.server.process.pid}/fd`;
  const linkOf = (name: string) => {
    try {
      return readlinkSync(`${folder}/${name}`);
    } catch {
      return ''; // closed meanwhile
    }
  };
  return readdirSync(folder).filter((name) => linkOf(name).startsWith('socket:')).length;
}

interface Watched {
  /** How long each answer took, ms. */
  took: number[];
  most: number;
  /** When the server had let go of what the attack held, seconds from its beginning. */
  letGoAfter: number | undefined;
}

/** Polls and asks, one after the other, until the work is done and the server has let go, or should have. */
async function serveMeanwhile(work: Promise<unknown>, before: number, withinSeconds: number): Promise<Watched> {
  const watched: Watched = { took: [], most: 0, letGoAfter: undefined };
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
    const open = socketsOfServer();
    watched.most = Math.max(watched.most, open);
    // The pools of the database may have grown meanwhile.
    if (open > before + CONNECTIONS / 4) watched.letGoAfter = undefined;
    else if (watched.most >= before + HELD) watched.letGoAfter ??= seconds();
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
    const before = socketsOfServer();
    const both = Promise.all([
      attack(`${muster.server.url}${people}`, options),
      attack(`https://127.0.0.1:${muster.server.handsetPort}${handset}`, options),
    ]);
    const { took, most, letGoAfter } = await serveMeanwhile(both, before, withinSeconds);
    const slowest = Math.round(Math.max(...took));
    console.log(
      `${name}: ${took.length} answers, the slowest after ${slowest} ms; let go after ${letGoAfter?.toFixed(0)} s`,
    );
    expect(most, 'connections that the attack held').toBeGreaterThanOrEqual(before + HELD);
    expect(took.length).toBeGreaterThan(8);
    expect(slowest).toBeLessThan(IN_TIME_MS);
    expect(letGoAfter).toBeLessThan(withinSeconds);
    for (const { sawItAway, output } of await both) expect(sawItAway, output).toBe(false);
  });
});
