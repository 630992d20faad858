import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually, temporaryFolder } from '../support/processes.js';
import { Cli, removeServer, type Server, startServer } from '../support/server.js';

const folder = temporaryFolder('demo');
let server: Server;
let cli: Cli;

beforeAll(async () => {
  server = await startServer({ data: path.join(folder.path, 'data') });
  cli = await new Cli(server, path.join(folder.path, 'manager')).login();
});
afterAll(async () => {
  await removeServer(server);
  folder.remove();
});

it('muster demo runs 200 real agents through one campaign and leaves no process behind', async () => {
  const began = Date.now();
  const { code, output } = await cli.try('demo');
  console.log(`demo: ${(Date.now() - began) / 1_000} s`);
  expect(output).toContain('128 of 200 handsets have it: exactly those that fit.');
  expect(code).toBe(0);
  const [campaign] = await cli.json<{ campaignId: string }[]>('campaign', 'list');
  const whole = { polled: 180, matched: 152, requested: 136, transferred: 136, installed: 128, confirmed: 128 };
  // A poll's record may trail its answer by a second.
  await eventually('the funnel is whole', async () => {
    const { funnel } = await cli.json<{ funnel: Record<string, number> }>('campaign', 'progress', campaign!.campaignId);
    return JSON.stringify(funnel) === JSON.stringify(whole) || undefined;
  });
  for (const [, pid] of output.matchAll(/pid (\d+)/g)) expect(() => process.kill(Number(pid), 0)).toThrow();
});
