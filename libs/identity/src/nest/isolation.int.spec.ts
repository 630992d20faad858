import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '#event-log/index.js';
import { eventLogMigrations } from '#event-log/nest/event-log.module.js';
import { type TestDatabase, testDatabase } from '../../../../test/support/database.js';
import { newId } from '#runtime/index.js';
import { identityMigrations } from './identity.module.js';

/** A row of each table, for a tenant; what other rows need comes first. */
const ROWS: Record<string, (tenant: string, id: string) => [string, unknown[]]> = {
  tenant: (tenant) => [`insert into ops.tenant values ($1, 'T', now(), 1)`, [tenant]],
  device_counter: (tenant) => ['insert into ops.device_counter values ($1, 0)', [tenant]],
  person: (tenant, id) => [
    `insert into ops.person values ($1, $2, 'a@b.c', 'A', 'x', '{admin}', false, null, null, now(), 1)`,
    [tenant, id],
  ],
  session: (tenant, id) => [`insert into ops.session values ($1, 'h', $2, now(), now())`, [tenant, id]],
  api_token: (tenant, id) => [
    `insert into ops.api_token values ($1, $2, 'h', 'n', '{}', $2, now(), now())`,
    [tenant, id],
  ],
  login_attempts: (tenant) => [`insert into ops.login_attempts values ($1, 's', 1, now())`, [tenant]],
  enrolment_code: (tenant, id) => [
    `insert into ops.enrolment_code values ($1, $2, 'h', $2, 'label', 'main', null, now(), now())`,
    [tenant, id],
  ],
  device: (tenant, id) => [
    `insert into ops.device values ($1, $2, 0, 'main', 'label', 'active', 1, now(), now(), 1)`,
    [tenant, id],
  ],
  controller: (tenant, id) => [`insert into ops.controller values ($1, 'h'::bytea, $2)`, [tenant, id]],
  device_key: (tenant, id) => [`insert into ops.device_key values ($1, 'k', $2)`, [tenant, id]],
};
const TABLES = Object.keys(ROWS);
const HIDDEN = TABLES.filter((table) => table !== 'tenant');

describe('rows of a tenant', () => {
  let database: TestDatabase;
  let actor: Database;
  beforeAll(async () => {
    database = await testDatabase([...eventLogMigrations, ...identityMigrations]);
    actor = database.database('muster_campaign');
    for (const tenant of ['acme', 'beta']) {
      const id = newId();
      await actor.inTenant(tenant, async (tx) => {
        for (const table of TABLES) await tx.query(...ROWS[table]!(tenant, id));
      });
    }
  });
  afterAll(() => database.drop());

  it('are all in this list: no table with a tenant escapes it', async () => {
    const found = await database.owner.query<{ table_name: string }>(
      `select table_name from information_schema.columns where table_schema = 'ops' and column_name = 'tenant'`,
    );
    const others = ['keyring', 'passed_over']; // the event log's own
    expect(found.map(({ table_name }) => table_name).sort()).toEqual([...TABLES, ...others].sort());
  });

  it.each(HIDDEN)('of %s are not seen without a tenant, though the query has no filter', async (table) => {
    expect(await actor.query(`select * from ops.${table}`)).toEqual([]);
    expect(await database.owner.query(`select * from ops.${table}`)).toEqual([]);
  });

  it.each(HIDDEN)('of %s are seen by their own tenant alone, though the query has no filter', async (table) => {
    const seen = await actor.inTenant('acme', (tx) => tx.query<{ tenant: string }>(`select tenant from ops.${table}`));
    expect(seen).toEqual([{ tenant: 'acme' }]);
    expect(await actor.inTenant('nobody', (tx) => tx.query(`select * from ops.${table}`))).toEqual([]);
  });

  it.each(TABLES)('of %s are not changed or removed from another tenant', async (table) => {
    await actor.inTenant('nobody', async (tx) => {
      expect(await tx.query(`update ops.${table} set tenant = 'nobody' returning 1`)).toEqual([]);
      expect(await tx.query(`delete from ops.${table} returning 1`)).toEqual([]);
    });
  });

  it.each(TABLES)('of %s are refused when they are written for another tenant', async (table) => {
    const forged = actor.inTenant('acme', (tx) => tx.query(...ROWS[table]!('gamma', newId())));
    await expect(forged).rejects.toThrow(/row-level security/);
  });

  it.each(TABLES)('of %s are refused when they are moved to another tenant', async (table) => {
    const moved = actor.inTenant('acme', (tx) => tx.query(`update ops.${table} set tenant = 'gamma'`));
    await expect(moved).rejects.toThrow(/row-level security/);
  });

  it('leave no setting behind on the connection', async () => {
    const one = database.database('muster_campaign', 1);
    await one.inTenant('acme', (tx) => tx.query('select 1'));
    expect(await one.query('select * from ops.device')).toEqual([]);
  });

  it('are out of reach of the roles that read projections', async () => {
    for (const role of ['muster_insight', 'muster_projector', 'muster_tail'] as const)
      for (const table of HIDDEN)
        await expect(database.database(role, 1).query(`select * from ops.${table}`)).rejects.toThrow(
          /permission denied/,
        );
  });
});
