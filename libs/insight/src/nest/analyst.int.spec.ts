import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database, liveSchema, prepareGeneration } from '#event-log/index.js';
import { type TestDatabase, testDatabase } from '../../../../test/support/database.js';
import { provisionAnalyst } from '../analyst.js';
import { publishViews } from '../analytics.js';
import { deviceTimeline } from '../views/device-timeline.js';
import { insightProjections } from '../views/projections.js';
import { CreateInsight1767300000000 } from './migrations/create-insight.js';
import { drafted, enrolled, pollsRecorded, TestLog } from '../testing.js';

const hasPsql = spawnSync('psql', ['--version']).status === 0;
if (!hasPsql && process.env.MUSTER_TEST_ALL === '1')
  throw new Error('psql is needed: apt-get install postgresql-client');
if (!hasPsql)
  console.log('skipped: attacks by an analyst, because psql is not there (apt-get install postgresql-client)');

/** Stands in every text of the foreign tenant, its name included, so that one search finds any leak. */
const CANARY = 'zq7canary';
const OWN = 'acme';

/** A tenant with a campaign, and a device that polled and took part. */
function life(tenant: string, mark: string): TestLog {
  const log = new TestLog(tenant);
  log.add('muster.campaign', `${mark}-k`, drafted(`${mark}-k`, `${mark} spring`));
  log.add('muster.handset', `${mark}-d`, enrolled(`${mark}-d`, 1, `${mark} Ann`));
  log.add('muster.device', 'polls', pollsRecorded([{ deviceNo: 1, digest: 'aaaaaaaaaaaa' }]));
  log.add('muster.device', `${mark}-d`, {
    type: 'ContentRequested',
    data: { campaignId: `${mark}-k`, contentId: `${mark}-c`, snapshotVersion: 1 },
  });
  return log;
}

describe('an analyst', () => {
  let database: TestDatabase;
  let url: string;
  let foreignLogin: string;

  /** Runs statements in one session of the stock client, going on after errors. */
  const psql = (...statements: string[]) => {
    const args = ['--no-psqlrc', '--tuples-only', '--no-align', '--dbname', url];
    const { stdout, stderr } = spawnSync('psql', args, { input: statements.join('\n'), encoding: 'utf8' });
    return { rows: stdout.split('\n').filter(Boolean), errors: stderr };
  };

  beforeAll(async () => {
    database = await testDatabase([CreateInsight1767300000000]);
    const records = [...life(OWN, 'own').records, ...life(CANARY, CANARY).records];
    const projector = database.database('muster_projector');
    for (const projection of insightProjections) {
      const schema = await prepareGeneration(projector, projection);
      await projector.transaction(async (tx) => {
        await tx.query(`set local search_path = ${schema}`);
        await projection.apply(records, tx);
      });
    }
    await publishViews(database.owner);
    url = await provisionAnalyst(database.owner, OWN, database.url('muster_owner'));
    foreignLogin = new URL(await provisionAnalyst(database.owner, CANARY, url)).username;
  });
  afterAll(() => database.drop());

  it('sees the rows of the own tenant', async () => {
    const analyst = new Database(url, { max: 1 });
    const progress = await analyst.query('select campaign_id, requested from v1_campaign_progress');
    const lines = await analyst.query<{ device_id: string }>('select device_id from analytics.v1_device_timeline');
    await analyst.end();
    expect(progress).toEqual([{ campaign_id: 'own-k', requested: 1 }]);
    expect(lines).toEqual([{ device_id: 'own-d' }, { device_id: 'own-d' }, { device_id: 'own-d' }]);
  });

  it('gets a new password, and loses the old one, when provisioned again', async () => {
    const tenant = 'initech';
    const before = await provisionAnalyst(database.owner, tenant, url);
    const after = await provisionAnalyst(database.owner, tenant, url);
    expect(new URL(after).username).toBe(new URL(before).username);
    const [old, current] = [new Database(before, { max: 1 }), new Database(after, { max: 1 })];
    await expect(old.query('select 1')).rejects.toMatchObject({ code: '28P01' });
    expect(await current.query('select count(*)::int as n from v1_device_timeline')).toEqual([{ n: 0 }]);
    await Promise.all([old.end(), current.end()]);
  });

  it('finds every view and column commented', async () => {
    const bare = await database.owner.query(
      `select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
       where c.relnamespace = 'analytics'::regnamespace
         and (col_description(c.oid, a.attnum) is null or obj_description(c.oid) is null)`,
    );
    expect(bare).toEqual([]);
  });

  const VIEW = 'analytics.v1_device_timeline';
  const COUNT = `select 'rows ' || count(*) || ' foreign ' || count(*) filter (where tenant <> '${OWN}') from ${VIEW};`;
  const UNCHANGED = 'rows 3 foreign 0';

  describe.skipIf(!hasPsql)('through psql', () => {
    it.each([
      ['SET', `set muster.tenant = '${CANARY}';`],
      ['set_config', `select set_config('muster.tenant', '${CANARY}', false) is null;`],
      ['a transaction that writes', 'begin; set transaction read write; set default_transaction_read_only = off;'],
      ['a search path', 'set search_path = proj, ops, log, analytics;'],
      ['another name for itself', `set application_name = '${CANARY}';`],
    ])('gets no foreign row by %s', (_, statement) => {
      expect(psql(statement, COUNT).rows.at(-1)).toBe(UNCHANGED);
    });

    it.each([
      ['SET ROLE to the owner of the views', 'set role muster_analytics;', 'permission denied to set role'],
      ['SET ROLE to the group', 'set role analyst_ro;', 'permission denied to set role'],
      ['SET ROLE to the projector', 'set role muster_projector;', 'permission denied to set role'],
      [
        'SET SESSION AUTHORIZATION',
        'set session authorization FOREIGN;',
        'permission denied to set session authorization',
      ],
      ['SET ROLE to the other analyst', 'set role FOREIGN;', 'permission denied to set role'],
    ])('is refused %s', (_, statement, refusal) => {
      const { rows, errors } = psql(statement.replace('FOREIGN', foreignLogin), COUNT);
      expect(errors).toContain(refusal);
      expect(rows.at(-1)).toBe(UNCHANGED);
    });

    it('gets no foreign row with row security off', () => {
      const { rows, errors } = psql('set row_security = off;', `select * from ${VIEW};`);
      expect(rows.filter((row) => row.includes(CANARY))).toEqual([]);
      expect(errors).toContain('row-level security');
    });

    it.each([
      ['a table below the views', 'select * from proj.p_device_timeline_line_v1;'],
      ['a table below, in a CTE', 'with t as (table proj.p_campaign_progress_campaign_v1) select * from t;'],
      ['the log', 'select * from log.record;'],
      ['the map of logins', 'select * from ops.analyst;'],
      ['passwords', 'select * from pg_authid;'],
      ['statistics', 'select * from pg_statistic;'],
      ['files of the server', `select pg_read_file('PG_VERSION');`],
      ['programs of the server', `copy (select 1) to program 'cat';`],
      ['a view in the schema', `create view analytics.mine as select * from ${VIEW};`],
      ['a view in public', `create view public.mine as select * from ${VIEW};`],
      ['a temporary view', `create temp view mine as select * from ${VIEW};`],
      ['a temporary table', 'create temp table mine (x int);'],
      [
        'a function in pg_temp',
        `create function pg_temp.peek(text) returns bool language plpgsql as 'begin raise notice ''%'', $1; return true; end';`,
      ],
      ['a function in the schema', `create function analytics.peek(text) returns bool language sql as 'select true';`],
      ['a schema', 'create schema mine;'],
      ['an extension', 'create extension dblink;'],
      ['the views as invoker views', `alter view ${VIEW} set (security_invoker = true);`],
      ['a grant', `grant select on ${VIEW} to public with grant option;`],
      ['a role', 'create role mine;'],
      ['a large object', `select lo_import('/etc/hostname');`],
    ])('is refused %s', (_, statement) => {
      const { rows, errors } = psql('set default_transaction_read_only = off;', statement, COUNT);
      expect(errors).toMatch(
        /permission denied|must be owner|no privileges|no schema has been selected|does not exist/,
      );
      expect(rows.at(-1)).toBe(UNCHANGED);
    });

    it.each([
      ['a CTE', `with t as materialized (select * from ${VIEW}) select * from t;`],
      [
        'a predicate that tells by its errors',
        `select 1 / (case when tenant = '${OWN}' then 1 else 0 end) from ${VIEW};`,
      ],
      ['a cast that prints what it cannot read', `select text::int from ${VIEW} where tenant <> '${OWN}';`],
      [
        'a block of code',
        `do $$ declare r record; begin perform set_config('muster.tenant', '${CANARY.toUpperCase()}', false); for r in select * from ${VIEW} loop raise notice '%', r; end loop; end $$;`,
      ],
      ['a prepared statement', `prepare p as select * from ${VIEW}; execute p;`],
      ['a cursor', `begin; declare c cursor with hold for select * from ${VIEW}; commit; fetch all from c;`],
      ['a plan', `explain (analyze, verbose, buffers) select * from ${VIEW} where text like '%a%';`],
      ['names of roles', 'select rolname, rolconfig from pg_roles;'],
      ['statistics that may be read', 'select * from pg_stats; select * from pg_stats_ext;'],
      ['sessions of others', 'select usename, application_name, query from pg_stat_activity;'],
      [
        'comments and definitions',
        "select * from pg_views where schemaname not like 'pg%'; select * from pg_policies; select * from pg_description;",
      ],
      ['settings of roles', 'select * from pg_db_role_setting; select * from pg_settings;'],
      [
        'names of columns and tables',
        'select * from information_schema.columns; select relname, relacl from pg_class;',
      ],
      [
        'XML export',
        `select query_to_xml('select * from ${VIEW}', true, false, ''); select schema_to_xml('proj', true, false, '');`,
      ],
    ])('learns nothing of another tenant by %s', (_, statement) => {
      const { rows, errors } = psql(statement, 'rollback;', COUNT);
      expect([...rows, errors].filter((text) => text.includes(CANARY))).toEqual([]);
      expect(rows.at(-1)).toBe(UNCHANGED);
    });

    it('is cut after 30 seconds, and reads only, unless it says otherwise', () => {
      expect(
        psql(
          'show statement_timeout; show default_transaction_read_only; select rolconnlimit from pg_roles where rolname = current_user;',
        ).rows,
      ).toEqual(['30s', 'on', '10']);
    });
  });

  it('would see foreign rows if the policy were not there (the test can fail)', async () => {
    const projector = database.database('muster_projector');
    const schema = await liveSchema(projector, deviceTimeline);
    await projector.query(
      `create policy leak on ${schema}.p_device_timeline_line_v1 for select to muster_analytics using (true)`,
    );
    const analyst = new Database(url, { max: 1 });
    const rows = await analyst.query<{ tenant: string }>(`select tenant from ${VIEW} where tenant <> '${OWN}'`);
    await analyst.end();
    expect(rows).not.toEqual([]);
  });
});
