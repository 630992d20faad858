import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, openSync, closeSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Log } from '#runtime/index.js';
import { type PostgresHome, settleHome } from './postgres-home.js';
import { LOGIN_ROLES, type LoginRole, type RolePasswords } from './roles.js';

export interface EmbeddedPostgres {
  port: number;
  /** Creates roles and databases; nothing else should use it. */
  superuserUrl(database?: string): string;
  /** Role `muster_owner`. */
  ownerUrl(database?: string): string;
  url(role: LoginRole, database?: string): string;
  passwords: RolePasswords;
  /** Resolves when the server ends without having been stopped; nobody can go on then. */
  died: Promise<void>;
  stop(): Promise<void>;
}

const SUPERUSER = 'postgres';
const DATABASE = 'muster';

/**
 * Starts the Postgres that npm brings, on 127.0.0.1 only, and makes its cluster on the first start. Passwords are random
 * and kept 0600 in `dataDir`. A server left over from a killed process is stopped first.
 * @param dataDir  folder of this installation; what root's server keeps elsewhere is named after it
 * @param port     asked for once a left-over server has given its own back; a free one when absent
 */
export async function startEmbeddedPostgres(options: {
  dataDir: string;
  port?: () => Promise<number | undefined>;
  log: Log;
}): Promise<EmbeddedPostgres> {
  const { dataDir, log } = options;
  const home = settleHome(dataDir, log);
  const cluster = path.join(home.folder, 'cluster');
  await stopLeftOver(cluster, log);
  const passwords = settlePasswords(path.join(dataDir, 'passwords.json'), cluster, home, log);
  if (!existsSync(cluster)) initCluster(home, cluster, passwords[SUPERUSER] ?? '');

  const port = (await options.port?.()) ?? (await freePort());
  const url = (role: string, database = DATABASE) =>
    `postgres://${role}:${passwords[role]}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
  const server = launch(home, cluster, port);
  await ready(server, url(SUPERUSER, 'postgres'), path.join(home.folder, 'postgres.log'));
  log.info('postgres.started', { port, cluster, pid: server.pid });
  let isStopping = false;
  const died = new Promise<void>((resolve) => {
    server.once('exit', (code, signal) => {
      if (isStopping) return;
      log.error('postgres.exited', { code, signal });
      resolve();
    });
  });
  return {
    died,
    port,
    passwords: passwords as RolePasswords,
    superuserUrl: (database = 'postgres') => url(SUPERUSER, database),
    ownerUrl: (database) => url('muster_owner', database),
    url,
    stop: async () => {
      isStopping = true;
      await stop(server, log);
    },
  };
}

/** Reads or makes the passwords. Without their file a cluster cannot be entered, so it is set aside, never deleted. */
function settlePasswords(file: string, cluster: string, home: PostgresHome, log: Log): Record<string, string> {
  const known = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>) : {};
  if (known[SUPERUSER] === undefined && existsSync(cluster)) {
    if (home.account.uid === undefined) throw new Error(`${cluster} is there but ${file} is missing: put it back`);
    const aside = `${cluster}.${Date.now()}.orphan`; // root's data folder was deleted, its server's files were not
    renameSync(cluster, aside);
    log.warn('postgres.cluster-set-aside', { from: cluster, to: aside });
  }
  const missing = [SUPERUSER, ...LOGIN_ROLES].filter((role) => known[role] === undefined);
  if (missing.length === 0) return known;
  for (const role of missing) known[role] = randomBytes(24).toString('base64url');
  writeFileSync(`${file}.new`, JSON.stringify(known, null, 2), { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
  return known;
}

/** Made beside and renamed, so that a start killed half-way leaves no half cluster. */
function initCluster(home: PostgresHome, cluster: string, password: string): void {
  const { account, bin, folder } = home;
  const half = `${cluster}.new`;
  const passwordFile = path.join(folder, 'initdb.password');
  rmSync(half, { recursive: true, force: true });
  rmSync(passwordFile, { force: true });
  writeFileSync(passwordFile, password, { mode: 0o600, flag: 'wx' });
  if (account.uid !== undefined && account.gid !== undefined) chownSync(passwordFile, account.uid, account.gid);
  try {
    const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
    const access = ['--auth=scram-sha-256', `--username=${SUPERUSER}`, `--pwfile=${passwordFile}`];
    const args = ['-D', half, ...access, ...locale];
    const made = spawnSync(path.join(bin, 'initdb'), args, {
      ...account,
      env: ENVIRONMENT,
      cwd: folder,
      encoding: 'utf8',
    });
    if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr || String(made.error)}`);
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(half, cluster);
}

/** Nothing of ours goes to the server: no preloads, no PG* settings. */
const ENVIRONMENT = { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

function launch({ account, bin, folder }: PostgresHome, cluster: string, port: number): ChildProcess {
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    log_min_error_statement: 'panic', // statements hold personal data; messages name the table and the rule
    log_timezone: 'UTC',
    timezone: 'UTC',
  };
  const args = ['-D', cluster, '-p', String(port)];
  for (const [name, value] of Object.entries(settings)) args.push('-c', `${name}=${value}`);
  const out = openSync(path.join(folder, 'postgres.log'), 'w', 0o600);
  // A group of its own: a Ctrl-C in the terminal must reach us first, so that writers end before the database does.
  const stdio: ['ignore', number, number] = ['ignore', out, out];
  const options = { ...account, env: ENVIRONMENT, cwd: folder, detached: true, stdio };
  const server = spawn(path.join(bin, 'postgres'), args, options);
  closeSync(out);
  return server;
}

/** Waits until the server answers; a crash recovery may take a while. */
async function ready(server: ChildProcess, url: string, logFile: string): Promise<void> {
  const stopWithUs = () => server.kill('SIGINT');
  process.once('exit', stopWithUs);
  server.once('exit', () => process.removeListener('exit', stopWithUs));
  const failed = new Promise<never>((_, reject) => {
    server.once('error', reject);
    server.once('exit', () =>
      reject(new Error(`Postgres did not start: ${readFileSync(logFile, 'utf8').slice(-2000)}`)),
    );
  });
  failed.catch(() => undefined); // an exit after the start is for who stops it
  const answered = async () => {
    for (const deadline = Date.now() + 120_000; Date.now() < deadline; await sleep(20)) {
      if (await answers(url)) return;
    }
    throw new Error('Postgres does not answer');
  };
  await Promise.race([answered(), failed]);
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined); // the server may go while it starts; the next try tells
  try {
    await client.connect();
    await client.end();
    return true;
  } catch (error) {
    const code = (error as { code?: string }).code ?? '';
    if (['ECONNREFUSED', 'ECONNRESET', '57P03'].includes(code)) return false; // 57P03 = starting up
    throw error;
  }
}

async function stop(server: ChildProcess, log: Log): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const gone = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGINT'); // fast shutdown: sessions are cut, the rest is flushed
  await gone;
  log.info('postgres.stopped', {});
}

/**
 * After our kill -9 the server may live on without us. Its pid file names it; the pid may belong to another process by
 * now, then the file is removed. The file of a dead pid is left: Postgres checks it against shared memory itself.
 */
async function stopLeftOver(cluster: string, log: Log): Promise<void> {
  const file = path.join(cluster, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
  // A killed server that its parent has not reaped yet has no command line, but still its pid, which a new server minds.
  for (const deadline = Date.now() + 5_000; isThere(pid) && commandLine(pid) === undefined; await sleep(20))
    if (Date.now() > deadline) break;
  const command = commandLine(pid);
  if (command === undefined) return;
  if (!command.includes(cluster)) return rmSync(file);
  log.warn('postgres.left-over-stopped', { pid });
  process.kill(pid, 'SIGINT');
  for (const deadline = Date.now() + 60_000; commandLine(pid) !== undefined; await sleep(20))
    if (Date.now() > deadline) throw new Error(`an earlier Postgres (pid ${pid}) does not stop`);
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // there, and another's
  }
}

function commandLine(pid: number): string | undefined {
  try {
    if (process.platform !== 'linux')
      return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8') || undefined; // empty: a zombie
  } catch {
    return undefined; // no such process
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
