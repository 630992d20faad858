import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Clock, newId, systemClock } from '#runtime/index.js';
import { type TestDatabase, testDatabase } from '../../../test/support/database.js';
import { eventCatalog } from './catalog.js';
import { Database } from './database.js';
import type { EventContext } from './event-log.js';
import { Keyring } from './keyring.js';
import { contractDefinitions, logContract } from './log-contract.js';
import { logModel } from './log-model.js';
import { partitionOf } from './murmur2.js';
import { eventLogMigrations } from './nest/event-log.module.js';
import { PostgresLog } from './postgres-log.js';

const TOPIC = 'muster.campaign';
const kek = randomBytes(32);
const events = eventCatalog(contractDefinitions);

async function logsOf(db: TestDatabase, clock: Clock = systemClock) {
  const actor = db.database('muster_campaign', 12);
  const keyring = await Keyring.open({ database: actor, kek });
  const common = { events, keyring, clock };
  const writer = new PostgresLog({ database: actor, ...common });
  const reader = new PostgresLog({ database: db.database('muster_tail'), ...common });
  return { actor, keyring, writer, reader };
}

logContract('the Postgres log', async () => {
  const db = await testDatabase(eventLogMigrations);
  const { writer, reader } = await logsOf(db);
  return { writer, reader, close: () => db.drop() };
});

logModel('the Postgres log', async () => {
  const db = await testDatabase(eventLogMigrations);
  const { actor, writer, reader } = await logsOf(db);
  const reopen = async () => {
    const keyring = await Keyring.open({ database: actor, kek });
    return { writer: new PostgresLog({ database: actor, events, keyring, clock: systemClock }), reader };
  };
  return { writer, reader, reopen, close: () => db.drop() };
});

describe('the Postgres log', () => {
  let db: TestDatabase;
  let logs: Awaited<ReturnType<typeof logsOf>>;
  const by = (tenant: string): EventContext => ({ tenant, actor: 'system:test', commandId: newId() });
  const note = (text: string, secret?: string) => ({ type: 'ThingNoted', data: { text, secret } });
  const write = (tenant: string, subject: string, event = note('x')) =>
    logs.writer.append(TOPIC, { subject, expectedVersion: 0 }, [event], by(tenant));

  beforeAll(async () => {
    db = await testDatabase(eventLogMigrations);
    logs = await logsOf(db);
    await write('acme', 'one');
    await write('umbrella', 'one');
  });
  afterAll(() => db.drop());

  it('shows an actor no row of another tenant when the query names no tenant at all', async () => {
    const rows = await logs.actor.inTenant('acme', (tx) => tx.query('select distinct tenant from log.record'));
    expect(rows).toEqual([{ tenant: 'acme' }]);
    expect(await logs.actor.query('select 1 from log.record')).toEqual([]);
    expect(await db.owner.inTenant('acme', (tx) => tx.query('select distinct tenant from log.record'))).toEqual(rows);
  });

  it('has row-level security forced on every table with a tenant', async () => {
    const open = await db.owner.query(
      `select c.oid::regclass::text as table from pg_class c join pg_attribute a on a.attrelid = c.oid
       where a.attname = 'tenant' and c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)`,
    );
    expect(open).toEqual([]);
  });

  it.each([
    `update log.record set actor = 'x'`,
    'delete from log.record',
    'update log.head set next_off = 0',
    `select * from log.record_campaign`,
    'set local role muster_owner',
  ])('gives an actor no right to: %s', async (sql) => {
    await expect(logs.actor.inTenant('acme', (tx) => tx.query(sql))).rejects.toThrow('permission denied');
  });

  it('returns the offsets of a transaction that rolls back', async () => {
    const heads = await logs.reader.heads();
    const failing = logs.actor.inTenant('acme', async (tx) => {
      await logs.writer.appendIn(tx, TOPIC, { subject: 'rolled-back' }, [note('x', 'personal')], by('acme'));
      throw new Error('the row was refused');
    });
    await expect(failing).rejects.toThrow('the row was refused');
    expect(await logs.reader.heads()).toEqual(heads);
    await write('acme', 'rolled-back', note('x', 'personal')); // and its key is made again
    expect(await logs.reader.readStream(TOPIC, 'acme', 'rolled-back')).toMatchObject([
      { data: { secret: 'personal' } },
    ]);
  });

  it('stores personal fields sealed, and reads them as null once the subject is forgotten', async () => {
    await write('acme', 'person', note('kept', 'canary-4711'));
    const stored = await db.owner.inTenant('acme', (tx) => tx.query('select r::text from log.record r'));
    expect(JSON.stringify(stored)).not.toContain('canary-4711');
    expect(await logs.reader.readStream(TOPIC, 'acme', 'person')).toMatchObject([{ data: { secret: 'canary-4711' } }]);

    await logs.keyring.forget('acme', 'person');
    await logs.writer.append(TOPIC, { subject: 'person' }, [note('later', 'canary-4712')], by('acme'));
    expect((await logs.reader.readStream(TOPIC, 'acme', 'person')).map(({ data }) => data)).toEqual([
      { text: 'kept', secret: null },
      { text: 'later', secret: null },
    ]);
  });

  it('forgets with the commit, whatever was read before it', async () => {
    await write('acme', 'leaving', note('kept', 'canary-4713'));
    const secrets = async () => (await logs.reader.readStream(TOPIC, 'acme', 'leaving')).map(({ data }) => data);
    await logs.actor.inTenant('acme', async (tx) => {
      await logs.keyring.forget('acme', 'leaving', tx);
      expect(await secrets()).toMatchObject([{ secret: 'canary-4713' }]); // nothing is forgotten yet
    });
    expect(await secrets()).toMatchObject([{ secret: null }]);
  });

  it('reads a secret in the transaction that needs it, by its connection', async () => {
    const name = { tenant: 'acme', purpose: 'grant', id: 'main' };
    const one = db.database('muster_campaign', 1);
    const keyring = await Keyring.open({ database: one, kek });
    const secret = await one.inTenant('acme', async (tx) => {
      await keyring.putSecret(tx, name, Buffer.from('made here'));
      return keyring.secret(name, tx);
    });
    expect(Buffer.from(secret ?? []).toString()).toBe('made here');
  });

  it('rejects a transaction that went on after a failed statement, since nothing of it is kept', async () => {
    const going = logs.actor.inTenant('acme', async (tx) => {
      await tx.query('select 1 / 0').catch(() => undefined);
      return 'done';
    });
    await expect(going).rejects.toThrow('rolled back');
  });

  it('keeps secrets by tenant, and opens none of them under another key-encryption key', async () => {
    const name = { tenant: 'acme', purpose: 'ca', id: 'device' };
    await logs.keyring.putSecret(logs.actor, name, Buffer.from('first'));
    await logs.keyring.putSecret(logs.actor, name, Buffer.from('second'));
    expect(Buffer.from((await logs.keyring.secret(name)) ?? []).toString()).toBe('second');
    expect(await logs.keyring.secret({ ...name, tenant: 'umbrella' })).toBeUndefined();
    await expect(Keyring.open({ database: logs.actor, kek: randomBytes(32) })).rejects.toMatchObject({
      code: 'keyring.kek-wrong',
    });
  });

  it('takes the time of receipt from the database, whatever the clock of the instance says', async () => {
    const before = await logs.writer.now();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 });
    await write('acme', 'early');
    await logs.writer.appendFacts('muster.device', [
      { subject: 'early', context: by('acme'), event: { type: 'FactNoted', data: { text: 'x' } } },
    ]);
    vi.useRealTimers();
    const read = [
      ...(await logs.reader.readStream(TOPIC, 'acme', 'early')),
      ...(await logs.reader.read('muster.device', partitionOf('acme/early'), 0, 1_000)),
    ].filter(({ subject }) => subject === 'early');
    expect(read).toHaveLength(2);
    const after = await logs.writer.now();
    for (const { receivedAt, occurredAt } of read) {
      expect(Date.parse(receivedAt)).toBeGreaterThanOrEqual(Math.floor(before));
      expect(Date.parse(receivedAt)).toBeLessThanOrEqual(after);
      expect(Date.parse(occurredAt)).toBeGreaterThan(after + 3_000_000);
    }
  });

  it('takes the time of receipt from a clock that a test has set', async () => {
    const { writer, reader } = await logsOf(db, { now: () => Date.parse('2031-01-01T00:00:00.000Z') });
    await writer.append(TOPIC, { subject: 'set' }, [note('x')], by('acme'));
    expect(await reader.readStream(TOPIC, 'acme', 'set')).toMatchObject([{ receivedAt: '2031-01-01T00:00:00.000Z' }]);
  });

  it('answers log.unavailable when no connection comes free, instead of waiting for ever', async () => {
    const database = new Database(db.url('muster_campaign'), { max: 1, waitMs: 50 });
    const busy = new PostgresLog({ database, events, keyring: logs.keyring, clock: systemClock });
    await database.transaction(async () => {
      await expect(busy.heads()).rejects.toMatchObject({ code: 'log.unavailable' });
    });
    await database.end();
  });

  it('answers log.unavailable while the database is away', async () => {
    const database = new Database('postgres://muster_campaign@127.0.0.1:1/nowhere');
    const away = new PostgresLog({ database, events, keyring: logs.keyring, clock: systemClock });
    await expect(
      away.append(TOPIC, { subject: 'x', expectedVersion: 0 }, [note('x')], by('acme')),
    ).rejects.toMatchObject({ code: 'log.unavailable' });
  });
});
