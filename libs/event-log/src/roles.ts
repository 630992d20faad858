import pg from 'pg';
import { EventLogError } from './event-log.js';

/** Login roles, one per kind of actor; none may bypass row-level security (design §3). */
export const LOGIN_ROLES = [
  'muster_owner',
  'muster_campaign',
  'muster_tail',
  'muster_projector',
  'muster_insight',
] as const;
export type LoginRole = (typeof LOGIN_ROLES)[number];
export type RolePasswords = Readonly<Record<LoginRole, string>>;

/** Roles without a login: owner of the analysts' views, and the group that each tenant's analyst belongs to. */
const GROUP_ROLES = ['muster_analytics', 'analyst_ro'];

/**
 * Creates or updates the roles; repeating is harmless.
 * @param superuserUrl  a role that may create roles, on any database of the cluster
 * @throws EventLogError `log.not-durable` when the server may lose what it has committed
 */
export async function createRoles(superuserUrl: string, passwords: RolePasswords): Promise<void> {
  await connected(superuserUrl, async (db) => {
    await requireDurable(db);
    await db.query(`select pg_advisory_lock(hashtext('muster.roles'))`);
    for (const role of GROUP_ROLES) await ensureRole(db, role, 'nologin');
    for (const role of LOGIN_ROLES) {
      await ensureRole(db, role, 'login');
      await db.query(`alter role ${role} password ${db.escapeLiteral(passwords[role])}`);
      await db.query(`alter role ${role} set lock_timeout = '10s'`);
      await db.query(`alter role ${role} set synchronous_commit = 'on'`); // whatever the server's default is
      await db.query(`alter role ${role} set idle_in_transaction_session_timeout = '10min'`);
    }
    for (const role of ['muster_campaign', 'muster_insight'])
      await db.query(`alter role ${role} set statement_timeout = '30s'`);
    // The owner makes one login role per tenant for its analysts, and views that muster_analytics owns.
    await db.query('alter role muster_owner createrole');
    await db.query('grant analyst_ro to muster_owner with admin option, inherit false, set false');
    await db.query('grant muster_analytics to muster_owner with inherit false, set true');
    // A rebuild points the analysts' views at the new tables.
    await db.query('grant muster_analytics to muster_projector with inherit false, set true');
  });
}

/** Creates the database and its schemas; repeating is harmless. Tables come by migrations. */
export async function bootstrapDatabase(superuserUrl: string, name: string): Promise<void> {
  await connected(superuserUrl, async (db) => {
    await db.query(`select pg_advisory_lock(hashtext('muster.roles'))`); // services may start together
    const found = await db.query('select 1 from pg_database where datname = $1', [name]);
    if (found.rowCount === 0)
      await db.query(
        `create database ${db.escapeIdentifier(name)} owner muster_owner template template0 encoding 'UTF8'`,
      );
    const database = db.escapeIdentifier(name);
    await db.query(`revoke all on database ${database} from public`);
    await db.query(`grant connect on database ${database} to ${LOGIN_ROLES.join(', ')}, analyst_ro`);
    await db.query(`grant create on database ${database} to muster_projector`); // shadow and as-of schemas
  });
  const url = new URL(superuserUrl);
  url.pathname = `/${name}`;
  await connected(url.href, async (db) => {
    await db.query(`select pg_advisory_lock(hashtext('muster.roles'))`);
    await db.query(SCHEMAS);
  });
}

const SCHEMAS = `
  revoke all on schema public from public;
  create schema if not exists log authorization muster_owner;
  create schema if not exists ops authorization muster_owner;
  create schema if not exists proj authorization muster_projector;
  create schema if not exists analytics authorization muster_analytics;
  grant usage on schema log to muster_campaign, muster_tail, muster_projector;
  grant usage on schema ops to muster_campaign, muster_tail, muster_projector, muster_insight;
  grant usage on schema proj to muster_insight, muster_analytics;
  grant usage on schema analytics to analyst_ro, muster_owner;
  alter default privileges for role muster_owner in schema ops
    grant select, insert, update, delete on tables to muster_campaign;
  alter default privileges for role muster_owner in schema ops grant usage on sequences to muster_campaign;`;

/** Settings without which a crash loses or tears committed pages; a session cannot set them (Postgres, "Asynchronous Commit" and "WAL settings"). */
async function requireDurable(db: pg.Client): Promise<void> {
  const { rows } = await db.query<{ name: string }>(
    `select name from pg_settings where name in ('fsync', 'full_page_writes') and setting <> 'on' order by name`,
  );
  const settings = rows.map(({ name }) => name);
  if (settings.length > 0)
    throw new EventLogError(
      'log.not-durable',
      { settings: settings.join(', ') },
      `this Postgres runs with ${settings.join(' and ')} off: what is acknowledged would not survive a crash`,
    );
}

async function ensureRole(db: pg.Client, role: string, login: 'login' | 'nologin'): Promise<void> {
  const found = await db.query('select 1 from pg_roles where rolname = $1', [role]);
  if (found.rowCount === 0) await db.query(`create role ${role} ${login} nosuperuser nobypassrls`);
}

async function connected(url: string, work: (db: pg.Client) => Promise<unknown>): Promise<void> {
  const db = new pg.Client({ connectionString: url });
  await db.connect();
  try {
    await work(db);
  } finally {
    await db.end();
  }
}
