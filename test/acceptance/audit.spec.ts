import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testKey } from '#identity/testing.js';
import { asSuperuser } from '../support/database-scan.js';
import { type Enrolled, expectStatus, Installation, sha256 } from '../support/installation.js';
import { eventually, temporaryFolder } from '../support/processes.js';
import { auditOf, type Audited, onFolder } from '../support/server.js';

/* What a superuser changes behind everyone's back, one thing at a time: the audit names it, and nothing else is needed to find it. */

const folder = temporaryFolder('audit');
const headFile = path.join(folder.path, 'head.json');
const bytes = randomBytes(2_000);
let muster: Installation;
let device: Enrolled;
let campaignId: string;

beforeAll(async () => {
  muster = await Installation.start('audit');
  const key = await muster.newCode(muster.admin, { label: 'van 7' });
  device = await enrolWith(key.code);
  const contentId = await muster.publish(bytes);
  campaignId = await muster.draft([contentId]);
  await muster.schedule(campaignId);
  await muster.settledEnd();
  const offer = { contentId, campaignId };
  expectStatus(await post('/d/v1/requests', { snapshotVersion: 1, requests: [offer] }), 200);
  const seq = { epoch: 1, n: 1 };
  const fact = { type: 'TransferStarted', data: offer, occurredAt: new Date().toISOString(), seq };
  expectStatus(await post('/d/v1/facts', { facts: [fact] }), 200);
  await muster.addPerson('main', muster.admin, ['viewer']);
  await muster.ok('POST', '/v1/tokens', { body: { name: 'ci', roles: ['viewer'], lifetimeDays: 1 } });
  await muster.addTenant('acme');
  await muster.settledEnd();
  await eventually('read models', async () => ((await audit()).ok ? true : undefined));
});
afterAll(async () => {
  await muster.stop();
  folder.remove();
});

const post = (url: string, body: object) => muster.handset('POST', url, { device, body });
const audit = (...args: string[]): Promise<Audited> => auditOf(muster.server, ...args);

async function enrolWith(code: string): Promise<Enrolled> {
  const key = await testKey();
  const answer = await muster.handset('POST', '/enrol/v1', { body: { code, csr: key.csr } });
  return { ...(expectStatus(answer, 200).body as Omit<Enrolled, 'key'>), key };
}

/** Changes a table as no role may, looks, and puts every row back as it was. */
async function whileChanged<T>(table: string, sql: string, look: () => Promise<T>): Promise<T> {
  const kept = `kept_${table.replace('.', '_')}`;
  const inPeace = (work: (client: pg.Client) => Promise<unknown>) =>
    asSuperuser(muster.server.data, async (client) => {
      await client.query('begin');
      await client.query('set local session_replication_role = replica'); // no foreign keys, no triggers
      await work(client);
      await client.query('commit');
    });
  await inPeace(async (client) => {
    await client.query(`create table public.${kept} as select * from ${table}`);
    const { rowCount } = await client.query(sql);
    expect(rowCount, sql).toBeGreaterThan(0);
  });
  try {
    return await look();
  } finally {
    await inPeace(async (client) => {
      await client.query(`delete from ${table}`);
      // Columns that follow from others are made anew.
      const { rows } = await client.query<{ names: string }>(
        `select string_agg(quote_ident(attname), ', ') as names from pg_attribute
         where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = ''`,
        [table],
      );
      const { names } = rows[0]!;
      await client.query(`insert into ${table} (${names}) select ${names} from public.${kept}`);
      await client.query(`drop table public.${kept}`);
    });
  }
}

const CAMPAIGN = "topic = 'muster.campaign' and type like '%campaign-started%'";
/** Others of its stream follow it in the partition. */
const DRAFTED = "topic = 'muster.campaign' and type like '%campaign-drafted%'";
const ENROLLED = "topic = 'muster.handset' and type like '%handset-enrolled%'";
const RECORD = /^muster\.[a-z]+\/\d+\/\d+$/;

/** Invariant, what is changed where, the finding's code, and what it names. */
const breaches: [invariant: string, table: string, sql: string, code: string, where: RegExp][] = [
  ['I1', 'log.record', `delete from log.record where ${DRAFTED}`, 'log.hole', /^muster\.campaign\/\d+\/\d+$/],
  ['I1', 'log.head', "update log.head set next_off = next_off + 1 where topic = 'muster.device'", 'log.head', RECORD],
  ['I1', 'ops.keyring', "delete from ops.keyring where purpose = 'subject'", 'keyring.lost', /^muster\.handset\//],
  ['I1', 'ops.device_sequence', 'update ops.device_sequence set n = 0', 'row.behind', /^ops\.device_sequence main\//],
  [
    'I1',
    'log.record',
    `update log.record set data = jsonb_set(data::jsonb, '{label}', '{"$sealed":"AAAA"}')::json where ${ENROLLED}`,
    'log.seal',
    /^muster\.handset\//,
  ],
  ['I2', 'log.record', `update log.record set ver = ver + 5 where ${CAMPAIGN}`, 'log.version', /^muster\.campaign\//],
  [
    'I2',
    'log.stream',
    "update log.stream set ver = ver + 1 where topic = 'muster.campaign'",
    'log.stream',
    /^log\.stream muster\.campaign /,
  ],
  [
    'I2',
    'log.record',
    `update log.record set event_id = (select event_id from log.record where ${ENROLLED} limit 1) where ${CAMPAIGN}`,
    'log.event-twice',
    RECORD,
  ],
  ['I4', 'log.record', `update log.record set data = '{}' where ${CAMPAIGN}`, 'log.schema-violation', RECORD],
  [
    'I4',
    'log.record',
    `update log.record set type = 'muster.campaign.campaign-vanished.v1' where ${CAMPAIGN}`,
    'log.unknown-type',
    RECORD,
  ],
  [
    'I4',
    'log.record',
    `update log.record set type = 'muster.campaign.campaign-resumed.v1' where ${CAMPAIGN}`,
    'campaign.refused',
    RECORD,
  ],
  [
    'I4',
    'proj.p_campaign_v3',
    "update proj.p_campaign_v3 set status = 'completed'",
    'projection.differs',
    /p_campaign_v3 .*status$/,
  ],
  ['I4', 'ops.device', "update ops.device set status = 'revoked'", 'row.differs', /^ops\.device main\//],
  ['I5', 'ops.granted', 'delete from ops.granted', 'row.missing', /^ops\.granted main\//],
  [
    'I6',
    'ops.tuf_file',
    "update ops.tuf_file set bytes = bytes || ' '::bytea where role = 'snapshot'",
    'tuf.digest',
    /snapshot\.json$/,
  ],
  [
    'I6',
    'ops.tuf_file',
    "delete from ops.tuf_file where role = 'catalogue'",
    'tuf.refused',
    /^ops\.tuf_file main\/main$/,
  ],
  [
    'I7',
    'log.record',
    `update log.record set tenant = 'other', stream = 'other/x' where ${CAMPAIGN}`,
    'log.tenant',
    RECORD,
  ],
  [
    'I7',
    'log.record',
    "update log.record set tenant = 'acme', stream = 'acme' || substr(stream, 5) where topic = 'muster.device' and stream not like '%polls'",
    'device.stranger',
    RECORD,
  ],
  [
    'I7',
    'log.record',
    `update log.record set data = jsonb_set(data::jsonb, '{label}', '"van 7"')::json where ${ENROLLED}`,
    'log.personal-plain',
    RECORD,
  ],
  ['I11', 'ops.person', 'update ops.person set version = version + 1', 'audit.count', /^ops\.person /],
  ['I11', 'ops.api_token', 'update ops.api_token set revoked_at = now()', 'audit.count', /^ops\.api_token main\//],
  ['I11', 'ops.api_token', 'delete from ops.api_token', 'audit.row-missing', /^muster\.audit\//],
];

describe('muster audit', () => {
  it('finds nothing in a server that nobody touched, and says what it looked at', async () => {
    const report = await audit('--chain', headFile);
    expect(report.findings).toEqual([]);
    expect(report.records).toBeGreaterThan(15);
    expect(report.projections).toEqual([
      'content',
      'campaign',
      'campaign_outcome',
      'device_seen',
      'campaign_progress',
      'device_timeline',
    ]);
    const { code, output } = await onFolder(muster.server, ['audit', '--head', headFile]);
    expect(code, output).toBe(0);
  });

  it.each(breaches)('names a breach of %s: %s by `%s`', async (invariant, table, sql, code, where) => {
    const { ok, findings } = await whileChanged(table, sql, () => audit());
    expect(ok).toBe(false);
    const wanted = { invariant, code, where: expect.stringMatching(where) as string };
    expect(findings).toContainEqual(expect.objectContaining(wanted));
  });

  it('names a content whose bytes are gone or changed', async () => {
    const file = path.join(muster.server.data, 'contents', sha256(bytes).slice(0, 2), sha256(bytes));
    renameSync(file, `${file}.away`);
    expect((await audit()).findings).toEqual([
      expect.objectContaining({ invariant: 'I5', code: 'file.missing', where: file }),
    ]);
    writeFileSync(file, 'other bytes');
    expect((await audit()).findings).toEqual([
      expect.objectContaining({ invariant: 'I5', code: 'file.changed', where: file }),
    ]);
    renameSync(`${file}.away`, file);
    expect(readdirSync(path.dirname(file))).toEqual([sha256(bytes)]);
    expect(readFileSync(file).equals(bytes)).toBe(true);
  });

  it('names a record that was changed since a head was kept, though nothing else shows it', async () => {
    const sql = `update log.record set actor = 'person:nobody' where ${CAMPAIGN}`;
    const where = await asSuperuser(muster.server.data, async (client) => {
      const { rows } = await client.query<{ where: string }>(
        `select topic || '/' || part || '/' || off as where from log.record where ${CAMPAIGN}`,
      );
      return rows[0]!.where;
    });
    const [plain, chained] = await whileChanged(
      'log.record',
      sql,
      async () => [await audit(), await audit('--head', headFile)] as const,
    );
    expect(plain.findings).toEqual([]);
    expect(chained.findings).toEqual([expect.objectContaining({ invariant: 'I11', code: 'chain.changed', where })]);
  });

  it('names the end of a log that was cut off, head and stream with it', async () => {
    const cut = `with gone as (delete from log.record where topic = 'muster.audit' and off = (select max(off) from log.record
        where topic = 'muster.audit' and part = (select min(part) from log.record where topic = 'muster.audit'))
        and part = (select min(part) from log.record where topic = 'muster.audit') returning *)
      update log.head h set next_off = next_off - 1 from gone where h.topic = gone.topic and h.part = gone.part`;
    const keepHead = 'update log.head set next_off = next_off';
    const { findings } = await whileChanged('log.head', keepHead, () =>
      whileChanged('log.record', cut, () => audit('--head', headFile)),
    );
    expect(findings).toContainEqual(
      expect.objectContaining({
        invariant: 'I11',
        code: 'chain.lost',
        where: expect.stringMatching(/^muster\.audit\//) as string,
      }),
    );
  });

  it.each(['', '{}', '[]', '{"format":1,"range":64,"partitions":{"muster.audit/0":{}}}'])(
    'refuses %j as a head',
    async (text) => {
      const file = path.join(folder.path, 'not-a-head.json');
      writeFileSync(file, text);
      const { code, output } = await onFolder(muster.server, ['audit', '--head', file]);
      expect(code).toBe(2);
      expect(output).toContain('not a chain head');
    },
  );
});
