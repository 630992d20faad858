import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asSuperuser } from '../support/database-scan.js';
import { temporaryFolder } from '../support/processes.js';
import { removeServer, type Server, startServer } from '../support/server.js';

/* deploy/state.md is what an operator reads before a backup: it must name every table, and no other. */

const folder = temporaryFolder('state');
let server: Server;

beforeAll(async () => {
  server = await startServer({ data: path.join(folder.path, 'data') });
});
afterAll(async () => {
  await removeServer(server);
  folder.remove();
});

/** First cells of its tables that name something in the database. */
const described = (): string[] =>
  readFileSync('deploy/state.md', 'utf8')
    .split('\n')
    .map((line) => /^\|([^|]+)\|/.exec(line)?.[1] ?? '')
    .flatMap((cell) => [...cell.matchAll(/`([a-z_]+\.[a-z0-9_]+)`/g)].map(([, name]) => name!))
    .filter((name) => /^(ops|log|proj|proj_live|analytics)\./.test(name));

/** Tables and views of the server; a partition is part of its table, and the schemas of all read models are one. */
const kept = (): Promise<string[]> =>
  asSuperuser(server.data, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      `select t.table_schema || '.' || t.table_name as name from information_schema.tables t
       join pg_class c on c.oid = format('%I.%I', t.table_schema, t.table_name)::regclass
       where t.table_schema not in ('pg_catalog', 'information_schema') and not c.relispartition`,
    );
    return [...new Set(rows.map(({ name }) => name.replace(/^proj_live_[a-z0-9_]+\./, 'proj_live.')))];
  });

describe('deploy/state.md', () => {
  it('names every table and view of a started server, each once', async () => {
    expect(described().toSorted()).toEqual((await kept()).toSorted());
  });

  it('is right that tenants are kept apart in every table that has tenants', async () => {
    const open = await asSuperuser(server.data, async (client) => {
      const { rows } = await client.query<{ name: string }>(
        `select c.oid::regclass::text as name from pg_class c
         join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant' and not a.attisdropped
         where c.relkind in ('r', 'p') and c.relnamespace::regnamespace::text ~ '^(ops$|log$|proj)'
           and not (c.relrowsecurity and c.relforcerowsecurity)`,
      );
      return rows.map(({ name }) => name);
    });
    expect(open).toEqual([]);
  });
});
