import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId, systemClock } from '#runtime/index.js';
import { type TestDatabase, testDatabase } from '../../../test/support/database.js';
import { eventCatalog } from './catalog.js';
import { copyInto } from './copy-into.js';
import type { Database, Tx } from './database.js';
import { Keyring } from './keyring.js';
import { contractDefinitions } from './log-contract.js';
import { eventLogMigrations } from './nest/event-log.module.js';
import { PostgresLog } from './postgres-log.js';
import { projection, tenantPolicy } from './projection.js';
import { ProjectionBuild } from './projection-build.js';
import { ProjectionRunner } from './projection-runner.js';

const TABLE = 'p_texts_v1';
/** What COPY's text format has a meaning of its own for. */
const TEXTS = ['plain', '', '\\', '\\N', '\\.', 'a\tb', 'a\nb', 'a\r\nb', '\\t', 'ü→🙂', '"{}",\'', '\u0007'];

interface Row {
  tenant: string;
  off: number;
  text: string;
  part: number;
  nothing: null;
}
const COLUMNS = new Map<keyof Row, string>([
  ['tenant', 'tenant'],
  ['part', 'part'],
  ['off', 'off'],
  ['text', 'txt'],
  ['nothing', 'nothing'],
]);

/** Whether each batch was copied. */
const copied: boolean[] = [];

async function write(tx: Tx, rows: readonly Row[]): Promise<void> {
  const isCopied = await copyInto(tx, TABLE, COLUMNS, rows);
  copied.push(isCopied);
  if (isCopied) return;
  await tx.query(
    `insert into ${TABLE} (tenant, part, off, txt) select * from unnest($1::text[], $2::int[], $3::bigint[], $4::text[])
     on conflict do nothing`,
    [
      rows.map(({ tenant }) => tenant),
      rows.map(({ part }) => part),
      rows.map(({ off }) => off),
      rows.map(({ text }) => text),
    ],
  );
}

const texts = projection('texts', 1, {
  topics: ['muster.campaign'],
  tables: [TABLE],
  ddl: [
    `create table ${TABLE} (tenant text not null, part int not null, off bigint not null, txt text not null, nothing text,
      primary key (tenant, part, off))`,
    tenantPolicy(TABLE),
  ],
  apply: (batch, tx) =>
    write(
      tx,
      batch.map(({ tenant, offset, partition, data }) => {
        const { text } = data as { text: string };
        return { tenant, off: offset, part: partition, text, nothing: null };
      }),
    ),
});

describe('rows copied into a build', () => {
  let db: TestDatabase;
  let projector: Database;
  let runner: ProjectionRunner;

  const isForced = async (schema: string) => {
    const [row] = await projector.query<{ isForced: boolean }>(
      `select relforcerowsecurity as "isForced" from pg_class where relname = $1 and relnamespace = $2::regnamespace`,
      [TABLE, schema],
    );
    return row?.isForced;
  };

  beforeAll(async () => {
    db = await testDatabase(eventLogMigrations);
    const actor = db.database('muster_campaign');
    projector = db.database('muster_projector', 8);
    const keyring = await Keyring.open({ database: actor, kek: randomBytes(32) });
    const parts = { events: eventCatalog(contractDefinitions), keyring, clock: systemClock };
    const context = { tenant: 'acme', actor: 'system:test', commandId: newId() };
    const events = Array.from({ length: 200 }, (_, n) => ({
      type: 'ThingNoted',
      data: { text: TEXTS[n % TEXTS.length]! },
    }));
    await new PostgresLog({ ...parts, database: actor }).append(
      'muster.campaign',
      { subject: newId() },
      events,
      context,
    );
    const source = new PostgresLog({ ...parts, database: projector });
    runner = new ProjectionRunner({ database: projector, source, projections: [texts] });
    await runner.start();
    await runner.whenCaughtUp();
  });
  afterAll(async () => {
    await runner.stop();
    await db.drop();
  });

  it('are those that live traffic inserts, to the letter', async () => {
    expect(copied.splice(0)).toEqual([false]);
    expect(await runner.verify('texts')).toEqual({ equal: true });
    expect(copied.splice(0)).toEqual([true]);
  });

  it('are under the row-level security of their table once it is live, and in a copy of the past', async () => {
    const past = await runner.buildAsOf('texts', {});
    expect(await isForced(past.schema)).toBe(true);
    await past.drop();
    await runner.rebuild('texts');
    expect(copied.splice(0)).toEqual([true]);
    const [live] = await projector.query<{ schema: string }>('select schema from proj.generation');
    expect(await isForced(live!.schema)).toBe(true);
    const insight = db.database('muster_insight');
    const seen = (tenant: string) => insight.inTenant(tenant, (tx) => tx.query(`select from proj.${TABLE}`));
    expect([(await seen('acme')).length, (await seen('other')).length]).toEqual([200, 0]);
  });

  it('are left to the insert where one is refused, and the transaction goes on', async () => {
    const build = new ProjectionBuild(texts, 'proj_shadow_texts', projector);
    await build.create();
    const rows = Array.from({ length: 60 }, (_, off) => ({ tenant: 'acme', off, part: 0, text: 'x', nothing: null }));
    const record = { topic: 'muster.campaign', partition: 0, type: 'ThingNoted', tenant: 'acme', sequence: null };
    const batch = (from: number) =>
      rows.map(({ off, text }) => ({ ...record, offset: from + off, stream: `acme/${off}`, data: { text } }));
    try {
      await build.apply(batch(0) as never);
      await projector.query(`insert into ${build.schema}.${TABLE} values ('acme', 0, 70, 'was there', null)`);
      await build.apply(batch(60) as never);
      expect(copied.splice(0)).toEqual([true, false]);
      const [row] = await projector.query(`select count(*)::int as n from ${build.schema}.${TABLE}`);
      expect(row).toEqual({ n: 120 });
    } finally {
      await build.drop();
    }
  });
});
