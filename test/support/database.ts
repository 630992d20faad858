import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { bootstrapDatabase, Database, type LoginRole, type Migration, migrate } from '#event-log/index.js';
import { silentLog } from '#runtime/index.js';

export interface TestDatabase {
  /** Role `muster_owner`: owns the tables, and is under row-level security like everyone. */
  owner: Database;
  url(role: LoginRole): string;
  superuserUrl: string;
  /** A pool of the role, ended by `drop`. */
  database(role: LoginRole, max?: number): Database;
  drop(): Promise<void>;
}

/** A fresh database with roles, schemas and the migrations named. One per test file: `beforeAll`, `drop` in `afterAll`. */
export async function testDatabase(migrations: readonly Migration[] = []): Promise<TestDatabase> {
  const { superuserUrl, passwords } = inject('postgres');
  const name = `test_${randomBytes(6).toString('hex')}`;
  const at = (role: string, password: string) => {
    const url = new URL(superuserUrl);
    Object.assign(url, { username: role, password, pathname: `/${name}` });
    return url.href;
  };
  const url = (role: LoginRole) => at(role, passwords[role] ?? '');
  await bootstrapDatabase(superuserUrl, name);
  await migrate(url('muster_owner'), migrations, silentLog);
  const open: Database[] = [];
  const database = (role: LoginRole, max = 4) => {
    const made = new Database(url(role), { max });
    open.push(made);
    return made;
  };
  return {
    owner: database('muster_owner'),
    url,
    superuserUrl: at('postgres', new URL(superuserUrl).password),
    database,
    drop: async () => {
      await Promise.all(open.map((each) => each.end()));
      const server = new Database(superuserUrl, { max: 1 });
      await server.query(`drop database ${name} with (force)`);
      await server.end();
    },
  };
}
