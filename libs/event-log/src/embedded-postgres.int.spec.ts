import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Log, silentLog } from '#runtime/index.js';
import { Database } from './database.js';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.js';

describe('embedded Postgres', () => {
  const created: string[] = [];
  const note = (_event: string, { folder }: { folder?: unknown } = {}) => void created.push(String(folder));
  const log: Log = {
    ...silentLog,
    info: (event, fields) => event === 'postgres.folder-created' && note(event, fields),
  };
  let dataDir: string;
  let server: EmbeddedPostgres;
  const start = () => startEmbeddedPostgres({ dataDir, log });
  const value = async (sql: string) => {
    const db = new Database(server.superuserUrl(), { max: 1 });
    const [row] = await db.query<{ value: unknown }>(sql).finally(() => db.end());
    return row?.value;
  };

  beforeAll(async () => {
    dataDir = mkdtempSync(path.join(tmpdir(), 'muster-pg-'));
    server = await start();
  });
  afterAll(async () => {
    await server.stop();
    for (const folder of created.filter((each) => each !== '/var/lib/muster')) rmSync(folder, { recursive: true });
    rmSync(dataDir, { recursive: true });
  });

  it('keeps its passwords for the owner of the data folder alone', () => {
    expect(statSync(path.join(dataDir, 'passwords.json')).mode & 0o777).toBe(0o600);
  });

  it('listens on loopback only', async () => {
    expect(await value('select current_setting($$listen_addresses$$) as value')).toBe('127.0.0.1');
    expect(await value('select current_setting($$unix_socket_directories$$) as value')).toBe('');
  });

  it('keeps what was committed over a stop and a start', async () => {
    await value('create table kept as select 7 as value');
    await server.stop();
    server = await start();
    expect(await value('select value from kept')).toBe(7);
  });

  it('stops a server that outlived the process which started it', async () => {
    const before = await value('select pg_postmaster_start_time()::text as value');
    server = await start();
    expect(await value('select pg_postmaster_start_time()::text as value')).not.toBe(before);
  });

  it('starts after the server was killed', async () => {
    const cluster = String(await value('select current_setting($$data_directory$$) as value'));
    const pid = readFileSync(path.join(cluster, 'postmaster.pid'), 'utf8').split('\n')[0] ?? '';
    execFileSync('kill', ['-9', pid]);
    server = await start();
    expect(await value('select count(*)::int as value from kept')).toBe(1);
  });
});
