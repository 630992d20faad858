import { chmodSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { freePort, temporaryFolder } from '../support/processes.js';
import { Cli, removeServer, type Server, type ServerOptions, startServer } from '../support/server.js';

/* What someone meets who starts Muster for the first time, and what is kept when it stops, however it stops. */

const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;

const cleanUp: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

async function started(options: ServerOptions): Promise<Server> {
  const server = await startServer(options);
  cleanUp.push(() => removeServer(server));
  return server;
}

/** First start, second start and a start after kill -9: what was acknowledged is there each time. */
async function keepsEverything(where: ServerOptions, home: string): Promise<void> {
  const port = String(await freePort()); // the same at each start: a login is for one address
  const options = { ...where, env: { ...where.env, MUSTER_PORT: port } };
  const first = await started(options);
  expect(first.administrator).toBeDefined();
  expect(first.process.output()).toMatch(/psql 'postgres:\/\//);
  const cli = await new Cli(first, home).login();
  await cli.text('token', 'add', 'kept', '--roles', 'viewer');
  await first.process.stop('SIGTERM');

  const second = await started(options);
  expect(second.administrator).toBeUndefined(); // shown once
  const again = new Cli(second, home);
  expect(await again.text('token', 'list', '--json')).toContain('kept');
  await again.text('token', 'add', 'acknowledged', '--roles', 'viewer');
  await second.process.stop('SIGKILL');

  const third = await started(options);
  const tokens = await new Cli(third, home).text('token', 'list', '--json');
  expect(tokens).toContain('kept');
  expect(tokens).toContain('acknowledged');
  await third.process.stop('SIGTERM');
  console.log(
    `ready after ${first.readyMs} ms at first, ${second.readyMs} ms again, ${third.readyMs} ms after kill -9`,
  );
}

describe('starting', () => {
  it('keeps everything over a stop and over kill -9', async () => {
    const folder = temporaryFolder('start');
    cleanUp.push(() => folder.remove());
    await keepsEverything({ data: path.join(folder.path, 'data') }, path.join(folder.path, 'manager'));
  });

  it('ends with exit code 1 when its database dies, and recovers at the next start', async () => {
    const folder = temporaryFolder('start-database');
    cleanUp.push(() => folder.remove());
    const options = { data: path.join(folder.path, 'data') };
    const server = await started(options);
    const pid = /"pid":(\d+),"event":"postgres.started"/.exec(server.process.output())?.[1];
    process.kill(Number(pid), 'SIGKILL');
    expect(await server.process.exited).toBe(1);
    const again = await started(options);
    expect((await fetch(`${again.url}/readyz`)).status).toBe(200);
  });

  it.runIf(isRoot)('works as root in a home that nobody else may enter', async () => {
    const folder = temporaryFolder('start-root');
    cleanUp.push(() => folder.remove());
    const home = path.join(folder.path, 'home');
    mkdirSync(home);
    chmodSync(home, 0o700);
    await keepsEverything({ data: path.join(home, '.muster'), env: { HOME: home } }, path.join(folder.path, 'manager'));
  });

  it.runIf(isRoot)('works as a plain user', async () => {
    const folder = temporaryFolder('start-user');
    cleanUp.push(() => folder.remove());
    chmodSync(folder.path, 0o755);
    await keepsEverything(
      { data: path.join(folder.path, 'data'), uid: NOBODY, env: { HOME: '/nonexistent' } },
      path.join(folder.path, 'manager'),
    );
  });
});
