import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { startEmbeddedPostgres } from '#event-log/index.js';
import { silentLog } from '#runtime/index.js';
import { asSuperuser } from '../support/database-scan.js';
import { GivenPostgres } from '../support/given-postgres.js';
import { freePort, type Running, run, startNode, temporaryFolder } from '../support/processes.js';
import { Cli, removeServer, type Server, type ServerOptions, startServer } from '../support/server.js';

/* What the settings of the start change, and what a start says that cannot be. */

const MAIN = path.resolve('dist/apps/muster/src/main.js');
const CLI = path.resolve('dist/apps/muster/src/cli.js');

const cleanUp: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

function folderOf(name: string): string {
  const folder = temporaryFolder(name);
  cleanUp.push(() => folder.remove());
  return folder.path;
}

async function started(options: ServerOptions): Promise<Server> {
  const server = await startServer(options);
  cleanUp.push(() => removeServer(server));
  return server;
}

/** A start that ends by itself. */
async function refused(env: Record<string, string>): Promise<{ code: number | null; output: string }> {
  const child: Running = startNode(MAIN, [], { env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env } });
  const code = await child.exited;
  return { code, output: child.output() };
}

describe('settings of the start', () => {
  it('demand TLS on the port for people beyond loopback', async () => {
    const folder = folderOf('tls');
    const data = path.join(folder, 'data');
    const server = await started({ data, env: { MUSTER_HOST: '0.0.0.0', MUSTER_HOSTS: 'localhost' } });
    expect(server.url).toMatch(/^https:\/\/localhost:/);
    await expect(fetch(server.url.replace('https:', 'http:'))).rejects.toThrow();
    await expect(fetch(server.url)).rejects.toThrow(); // a stranger does not know the issuer
    const version = await run(process.execPath, [
      CLI,
      'me',
      '--server',
      server.url,
      '--ca',
      path.join(data, 'server-ca.pem'),
    ]);
    expect(version.output).toContain('auth.required'); // it came through, and is asked who it is
    const health = (port: string) =>
      run(process.execPath, ['deploy/healthcheck.mjs'], { env: { MUSTER_HOST: '0.0.0.0', MUSTER_PORT: port } });
    expect(await health(new URL(server.url).port)).toMatchObject({ code: 0, output: '' });
    expect(await health(String(await freePort()))).toMatchObject({ code: 1 });
    const env = { ...process.env, NO_COLOR: '1' }; // a CI counts as a terminal with colours
    const doctor = (...trust: string[]) =>
      run(process.execPath, [CLI, 'doctor', '--server', server.url, ...trust], { env });
    expect((await doctor('--ca', path.join(data, 'server-ca.pem'))).output).toMatch(/people port: names +ok/);
    expect((await doctor()).output).toMatch(/server +BAD .*cannot be reached: .*certificate/);
  });

  it('take a Postgres that is there, and keep what is in it', async () => {
    const folder = folderOf('external');
    const postgresFolder = path.join(folder, 'postgres');
    mkdirSync(postgresFolder);
    const created: string[] = [];
    const info = (_event: string, fields?: Readonly<Record<string, unknown>>) => {
      if (typeof fields?.folder === 'string' && fields.folder.startsWith('/var/lib/muster/'))
        created.push(fields.folder);
    };
    const postgres = await startEmbeddedPostgres({ dataDir: postgresFolder, log: { ...silentLog, info } });
    cleanUp.push(async () => {
      await postgres.stop();
      await run('rm', ['-rf', ...created]);
    });
    const env = { DATABASE_URL: postgres.superuserUrl('elsewhere'), MUSTER_PORT: String(await freePort()) };
    const data = path.join(folder, 'data');
    const first = await started({ data, env });
    const cli = await new Cli(first, path.join(folder, 'manager')).login();
    await cli.text('token', 'add', 'kept', '--roles', 'viewer');
    await first.process.stop('SIGTERM');
    const second = await started({ data, env });
    expect(second.administrator).toBeUndefined();
    expect(await new Cli(second, path.join(folder, 'manager')).text('token', 'list')).toContain('kept');
  });

  it('take no Postgres that may lose what it has committed, and do not let its default decide', async () => {
    const folder = folderOf('lossy');
    const postgres = await GivenPostgres.start();
    cleanUp.push(() => postgres.remove());
    const env = { DATABASE_URL: postgres.url };
    await started({ data: path.join(folder, 'data'), env });
    const ask = (sql: string) =>
      asSuperuser(postgres.data, async (client) => (await client.query(sql)).rows as object[]);
    await ask('alter system set synchronous_commit = off');
    await ask('alter system set fsync = off');
    await ask('select pg_reload_conf()');
    const roles = `select rolname, rolconfig from pg_roles where rolname like 'muster_%' and rolcanlogin`;
    for (const role of await ask(roles))
      expect(role).toMatchObject({ rolconfig: expect.arrayContaining(['synchronous_commit=on']) as unknown });
    const second = await refused({ MUSTER_DATA: path.join(folder, 'second'), MUSTER_PORT: '0', ...env });
    expect(second).toMatchObject({ code: 1 });
    expect(second.output).toMatch(/fsync off: what is acknowledged would not survive/);
  });

  it('let one process have a data folder', async () => {
    const folder = folderOf('twice');
    const server = await started({ data: path.join(folder, 'data') });
    const second = await refused({ MUSTER_DATA: server.data, MUSTER_PORT: '0', MUSTER_HANDSET_PORT: '0' });
    expect(second).toMatchObject({ code: 1 });
    expect(second.output).toContain(`in use by process ${server.process.pid}`);
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  });

  it.each([
    [{ MUSTER_PORT: 'http' }, /MUSTER_PORT/],
    [{ MUSTER_HANDSET_PORT: '70000' }, /MUSTER_HANDSET_PORT/],
    [{ DATABASE_URL: 'mysql://x/y' }, /DATABASE_URL/],
  ])('refuse %o by the name of the variable', async (env, message) => {
    const { code, output } = await refused({ MUSTER_DATA: path.join(folderOf('bad'), 'data'), ...env });
    expect(code).toBe(1);
    expect(output).toMatch(message);
  });
});
