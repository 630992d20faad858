import { hkdfSync } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import {
  awaited,
  bootstrapDatabase,
  createRoles,
  homeFolder,
  LOGIN_ROLES,
  type LoginRole,
  type RolePasswords,
  startEmbeddedPostgres,
} from '#event-log/index.js';
import type { DatabaseUrls } from '#event-log/nest/event-log.module.js';
import type { Log } from '#runtime/index.js';

/** The Postgres of an installation, whoever runs it, with roles and schemas in place. */
export interface Store {
  url(role: LoginRole): string;
  /** For creating logins of analysts. */
  superuserUrl: string;
  /** Where a Postgres that was started here keeps its files. */
  folder?: string;
  /** Resolves when a Postgres that was started here has died. */
  died: Promise<void>;
  /** Stops what was started for it; a Postgres that was given goes on. */
  stop(): Promise<void>;
}

export const DATABASE = 'muster';

/** A connection each for who decides, who reads the log, who keeps read models and who asks them. */
export const urlsOf = (store: Pick<Store, 'url'>): DatabaseUrls => ({
  actor: store.url('muster_campaign'),
  tail: store.url('muster_tail'),
  projector: store.url('muster_projector'),
  insight: store.url('muster_insight'),
});

export async function openStore(options: {
  data: string;
  databaseUrl: string | undefined;
  kek: Uint8Array;
  log: Log;
  /** How long to wait for a Postgres that was given. */
  patienceMs?: number;
}): Promise<Store> {
  const store =
    options.databaseUrl === undefined
      ? await embedded(options.data, options.log)
      : given(options.databaseUrl, options.kek);
  try {
    const { log, databaseUrl } = options;
    const patienceMs = databaseUrl === undefined ? 0 : options.patienceMs; // what was started here is there
    await awaited('postgres', () => createRoles(store.superuserUrl, store.passwords), { log, patienceMs });
    await bootstrapDatabase(store.superuserUrl, store.database);
    return store;
  } catch (error) {
    await store.stop();
    throw error;
  }
}

export type Opened = Store & { passwords: RolePasswords; database: string };

async function embedded(dataDir: string, log: Log): Promise<Opened> {
  const postgres = await startEmbeddedPostgres({ dataDir, port: () => settledPort(dataDir), log });
  return {
    database: DATABASE,
    passwords: postgres.passwords,
    superuserUrl: postgres.superuserUrl(),
    folder: homeFolder(dataDir),
    url: (role) => postgres.url(role, DATABASE),
    died: postgres.died,
    stop: () => postgres.stop(),
  };
}

/** The passwords of the roles follow from the key-encryption key, so that instances need no file between them. */
export function given(databaseUrl: string, kek: Uint8Array): Opened {
  const database = decodeURIComponent(new URL(databaseUrl).pathname.slice(1)) || DATABASE;
  const passwords = Object.fromEntries(
    LOGIN_ROLES.map((role) => [
      role,
      Buffer.from(hkdfSync('sha256', kek, '', `muster role ${role}`, 24)).toString('base64url'),
    ]),
  ) as RolePasswords;
  const at = (username: string, password: string, name: string) => {
    const url = new URL(databaseUrl);
    Object.assign(url, { username, password, pathname: `/${encodeURIComponent(name)}` });
    return url.href;
  };
  const { username, password } = new URL(databaseUrl);
  return {
    database,
    passwords,
    superuserUrl: at(decodeURIComponent(username), decodeURIComponent(password), 'postgres'),
    url: (role) => at(role, passwords[role], database),
    died: new Promise(() => undefined), // not ours to watch: connections are made anew
    stop: async () => undefined,
  };
}

/** The port of the first start, so that analysts' connections stay; a free one while another program has it. */
async function settledPort(dataDir: string): Promise<number | undefined> {
  const file = path.join(dataDir, 'postgres.port');
  const known = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  const port = await freePort(known);
  if (known === 0) writeFileSync(file, `${port}\n`, { mode: 0o600 });
  return port;
}

const freePort = (wanted: number): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    );
    probe.listen({ port: wanted, host: '127.0.0.1' }, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
    });
  });
