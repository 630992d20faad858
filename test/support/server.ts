import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { startKafka, stopKafka } from '../../deploy/kafka/broker.mjs';
import { homeFolder } from '#event-log/index.js';
import { endWithUs, removeWithUs } from './left-behind.js';
import { type Ended, run, type Running, startNode } from './processes.js';

const MUSTER = path.resolve('dist/apps/muster/src/main.js');
const MUSTER_CLI = path.resolve('dist/apps/muster/src/cli.js');
const HANDSET_CLI = path.resolve('dist/apps/handset/src/cli.js');

export interface Server {
  url: string;
  handsetPort: number;
  readyMs: number;
  process: Running;
  /** What the first start printed of the administrator, or undefined. */
  administrator: { tenant: string; email: string; password: string } | undefined;
  data: string;
  /** Moves the clock of the server and of agents started with `clockFile`, milliseconds from now. */
  clockFile: string;
  /** Who runs it, when not the test's own user. */
  uid?: number;
  /** The Postgres that it was given instead of its own. */
  databaseUrl?: string;
}

export interface ServerOptions {
  data: string;
  env?: Record<string, string>;
  /** Runs as this user and group instead of the test's own. */
  uid?: number;
}

const environment = (extra: Record<string, string>): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH ?? '/usr/bin:/bin',
  HOME: process.env.HOME ?? '/',
  NO_COLOR: '1',
  ...extra,
});

/** `npm start` without the build: the process that it runs, on ports of its own and a data folder of the test. */
export async function startServer({ data, env = {}, uid }: ServerOptions): Promise<Server> {
  mkdirSync(data, { recursive: true });
  if (uid !== undefined) chownSync(data, uid, uid);
  else if (env.DATABASE_URL === undefined) removeWithUs(homeFolder(data));
  const clockFile = path.join(path.dirname(data), 'clock');
  const settings = {
    MUSTER_DATA: data,
    MUSTER_PORT: '0',
    MUSTER_HANDSET_PORT: '0',
    MUSTER_TEST_CLOCK: clockFile,
    ...(env.KAFKA_BROKERS === undefined ? await logSettings(data) : {}),
    ...env,
  };
  const child = startNode(MUSTER, [], { env: environment(settings), ...(uid === undefined ? {} : { uid, gid: uid }) });
  const ready = await child.waitFor(
    /muster is ready at (\S+) \(handsets at https:\/\/[^:]+:(\d+)\) after (\d+) ms/,
    90_000,
  );
  const said = child.output();
  const administrator = /administrator\s+(\S+) of tenant (\S+)\s+password\s+(\S+)/.exec(said);
  return {
    url: ready[1]!,
    handsetPort: Number(ready[2]),
    readyMs: Number(ready[3]),
    process: child,
    administrator:
      administrator === null
        ? undefined
        : { email: administrator[1]!, tenant: administrator[2]!, password: administrator[3]! },
    data,
    clockFile,
    ...(uid === undefined ? {} : { uid }),
    ...(env.DATABASE_URL === undefined ? {} : { databaseUrl: env.DATABASE_URL }),
  };
}

export const onKafka = (): boolean => process.env.MUSTER_TEST_LOG === 'kafka';

/** With `MUSTER_TEST_LOG=kafka` every installation gets a broker of its own, which outlives its restarts. */
async function logSettings(data: string): Promise<Record<string, string>> {
  if (!onKafka()) return {};
  const { brokers, pids } = await startKafka({ folder: brokerFolder(data), freePorts: true });
  for (const pid of pids) endWithUs(pid);
  return { MUSTER_LOG: 'kafka', KAFKA_BROKERS: brokers.join(',') };
}

export const brokerFolder = (data: string): string => path.join(path.dirname(data), 'broker');

/** What `muster audit` reports of an installation, and its exit code. */
export interface Audited {
  ok: boolean;
  findings: { invariant: string; code: string; where: string; message: string; kafkaOffset?: number }[];
  records: number;
  sequences: { sources: number; duplicates: number; holes: number };
  projections: string[];
  /** On Kafka alone. */
  relay?: { published: number; duplicates: number; pending: number };
}

/** Which installation a command of the CLI works on, and as whom. */
type OnFolder = Pick<Server, 'data' | 'uid' | 'databaseUrl'>;

/** Runs a command of the CLI that works on the installation's folder, as the user whose folder it is. */
export function onFolder(
  { data, uid, databaseUrl }: OnFolder,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Ended> {
  const database: Record<string, string> = databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl };
  const options = {
    env: environment({ MUSTER_DATA: data, ...database, ...env }),
    ...(uid === undefined ? {} : { uid, gid: uid }),
  };
  return run(process.execPath, [MUSTER_CLI, ...args], options);
}

/** @throws when the audit itself cannot be done */
export async function auditOf(server: OnFolder, ...args: string[]): Promise<Audited> {
  const { output, stdout } = await onFolder(server, ['audit', '--json', ...args]);
  if (!stdout.startsWith('{')) throw new Error(`no audit:\n${output}`);
  return JSON.parse(stdout) as Audited;
}

/** Fails when the log, and what follows from it, do not agree: what every suite ends with. */
export async function audited(server: OnFolder): Promise<void> {
  const { findings, relay } = await auditOf(server);
  if (findings.length > 0) throw new Error(`the audit found ${JSON.stringify(findings, null, 2)}`);
  if ((relay?.pending ?? 0) > 0) throw new Error(`the relay does not catch up: ${JSON.stringify(relay)}`);
}

/** Audits the server (unless a test has spoilt it, or it is one of several on a database), stops it, and removes what its first start made outside its data folder (as root, the database's place). */
export async function removeServer(server: Server | undefined, { isSound = true } = {}): Promise<void> {
  if (server === undefined) return;
  try {
    if (isSound && server.process.isRunning()) await audited(server);
  } finally {
    await server.process.stop();
    if (onKafka()) await stopKafka(brokerFolder(server.data));
    removeMade(server.process.output());
  }
}

/** Removes the folders that a program says it made for the embedded database. */
export function removeMade(output: string): void {
  for (const [, made = ''] of output.matchAll(/"folder":"([^"]+)","event":"postgres.folder-created"/g))
    if (made !== '/var/lib/muster') rmSync(made, { recursive: true, force: true });
}

/** The CLI, logged in on a folder of its own. */
export class Cli {
  constructor(
    private readonly server: Server,
    private readonly home: string,
  ) {
    mkdirSync(home, { recursive: true });
  }

  /** Runs `muster …` and answers its standard output. @throws when it exits other than 0 */
  async text(...args: string[]): Promise<string> {
    const { code, output, stdout } = await this.try(...args);
    if (code !== 0) throw new Error(`muster ${args.join(' ')} exited ${code}:\n${output}`);
    return stdout;
  }

  try(...args: string[]): Promise<Ended> {
    const env = environment({
      HOME: this.home,
      XDG_CONFIG_HOME: path.join(this.home, '.config'),
      MUSTER_SERVER: this.server.url,
    });
    return run(process.execPath, [MUSTER_CLI, ...args], { env });
  }

  /** The same with `--json`, parsed. */
  async json<T>(...args: string[]): Promise<T> {
    return JSON.parse(await this.text(...args, '--json')) as T;
  }

  async login(administrator = this.server.administrator): Promise<this> {
    if (administrator === undefined) throw new Error('no administrator was shown');
    const secret = path.join(this.home, 'password');
    writeFileSync(secret, administrator.password, { mode: 0o600 });
    await this.text(
      'login',
      '--tenant',
      administrator.tenant,
      '--email',
      administrator.email,
      '--password-file',
      secret,
    );
    return this;
  }
}

/** One handset: a folder, and the agent's command line on it. */
export class Handset {
  readonly folder: string;

  constructor(
    readonly name: string,
    parent: string,
    private readonly env: Record<string, string> = {},
  ) {
    this.folder = path.join(parent, name);
    mkdirSync(this.folder, { recursive: true });
  }

  run(...args: string[]): Promise<Ended> {
    return run(process.execPath, [HANDSET_CLI, ...args], { env: this.environment() });
  }

  async text(...args: string[]): Promise<string> {
    const { code, output, stdout } = await this.run(...args);
    if (code !== 0) throw new Error(`muster-handset ${args.join(' ')} exited ${code}:\n${output}`);
    return stdout;
  }

  start(...args: string[]): Running {
    return startNode(HANDSET_CLI, args, { env: this.environment() });
  }

  private environment(): NodeJS.ProcessEnv {
    return environment({ MUSTER_HANDSET_DATA: this.folder, ...this.env });
  }
}

/** A certificate authority of the test, and a server certificate for loopback by it: what the recording proxy shows. */
export function proxyAuthority(folder: string): { ca: string; key: string; certificate: string } {
  const file = (name: string) => path.join(folder, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const key = (name: string) => [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    file(name),
  ];
  openssl('req', '-x509', ...key('ca.key'), '-out', file('ca.pem'), '-days', '2', '-subj', '/CN=test authority');
  openssl('req', ...key('proxy.key'), '-out', file('proxy.csr'), '-subj', '/CN=127.0.0.1');
  writeFileSync(file('ext'), 'subjectAltName=IP:127.0.0.1,DNS:localhost');
  openssl(
    'x509',
    '-req',
    '-in',
    file('proxy.csr'),
    '-CA',
    file('ca.pem'),
    '-CAkey',
    file('ca.key'),
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    file('ext'),
    '-out',
    file('proxy.pem'),
  );
  return { ca: file('ca.pem'), key: file('proxy.key'), certificate: file('proxy.pem') };
}
