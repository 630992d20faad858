import { randomBytes } from 'node:crypto';
import type { Database, Tx } from '#event-log/index.js';

/** Bounds of an analyst's sessions. A client can lift the first two for itself: the wall is what the role was granted. */
const SETTINGS = {
  default_transaction_read_only: 'on',
  statement_timeout: '30s',
  idle_in_transaction_session_timeout: '60s',
  search_path: 'analytics',
};
const CONNECTIONS = 10;

/**
 * Gives a tenant's analysts their login role, or the one that is there a new password.
 * The role's name is random, because every role can read the names of all roles, and a tenant's name is nobody else's.
 * @param owner     role `muster_owner`
 * @param database  any URL of the database; host, port and name are taken from it
 * @returns a connection URL with the password, which is kept nowhere
 */
export async function provisionAnalyst(owner: Database, tenant: string, database: string): Promise<string> {
  const password = randomBytes(24).toString('base64url');
  const login = await owner.transaction(async (tx) => {
    await tx.query(`select pg_advisory_xact_lock(hashtext('muster.analyst'))`);
    const [known] = await tx.query<{ login: string }>('select login from ops.analyst where tenant = $1', [tenant]);
    const name = known?.login ?? (await createLogin(tx, tenant));
    await tx.query(`alter role ${name} password '${password}'`);
    return name;
  });
  const url = new URL(database);
  url.username = login;
  url.password = password;
  return url.href;
}

/** Names and values below are ours (hex, base64url, constants), so they need no quoting; `create role` takes no parameters. */
async function createLogin(tx: Tx, tenant: string): Promise<string> {
  const login = `analyst_${randomBytes(8).toString('hex')}`;
  await tx.query(
    `create role ${login} login nosuperuser nocreatedb nocreaterole noinherit connection limit ${CONNECTIONS}`,
  );
  await tx.query(`grant analyst_ro to ${login} with inherit true, set false`);
  for (const [name, value] of Object.entries(SETTINGS)) await tx.query(`alter role ${login} set ${name} = '${value}'`);
  await tx.query('insert into ops.analyst (login, tenant) values ($1, $2)', [login, tenant]);
  return login;
}
