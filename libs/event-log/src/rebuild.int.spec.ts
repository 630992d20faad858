import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '#runtime/index.js';
import { type TestDatabase, testDatabase } from '../../../test/support/database.js';
import { eventCatalog } from './catalog.js';
import type { Database, Tx } from './database.js';
import { type EventLog, EventLogError, type Topic } from './event-log.js';
import { liveSchema } from './generation.js';
import { Keyring } from './keyring.js';
import { contractDefinitions } from './log-contract.js';
import { eventLogMigrations } from './nest/event-log.module.js';
import { PostgresLog } from './postgres-log.js';
import { makeTables } from './projection-build.js';
import { ProjectionRunner } from './projection-runner.js';
import { tallyByTenant } from './testing.js';

const notes = tallyByTenant('notes', ['muster.campaign']);

describe('a rebuild beside live traffic', () => {
  let db: TestDatabase;
  let projector: Database;
  let insight: Database;
  let writer: PostgresLog;
  let source: PostgresLog;
  let runners: ProjectionRunner[] = [];

  const append = async (count: number) => {
    for (let n = 0; n < count; n += 1)
      await writer.append(
        'muster.campaign',
        { subject: newId() },
        [{ type: 'ThingNoted', data: { text: String(n) } }],
        { tenant: 'acme', actor: 'system:test', commandId: newId() },
      );
  };
  /** As another process: what it knows of the live tables is its own. */
  const runnerOn = (log: EventLog = source) => {
    const runner = new ProjectionRunner({
      database: db.database('muster_projector', 8),
      source: log,
      projections: [notes],
    });
    runners.push(runner);
    return runner;
  };
  const noted = async () => {
    const rows = await insight.inTenant('acme', (tx) => tx.query<{ n: number }>('select n from proj.p_notes_v1'));
    return rows[0]?.n;
  };
  const appended = async () => {
    const heads = await source.heads(['muster.campaign']);
    return Object.values(heads).reduce((sum, n) => sum + n, 0);
  };
  const generations = async () =>
    (await projector.query<{ name: string }>(`select nspname as name from pg_namespace where nspname ~ '^proj_'`)).map(
      ({ name }) => name,
    );
  /** A log whose reads wait, until told. */
  function slow() {
    let goOn = () => {};
    const wait = new Promise<void>((resolve) => (goOn = resolve));
    const log: EventLog = Object.assign(Object.create(source) as PostgresLog, {
      readTolerantly: async (...args: [Topic, number, number, number]) => {
        await wait;
        return source.readTolerantly(...args);
      },
    });
    return { log, goOn };
  }

  beforeAll(async () => {
    db = await testDatabase(eventLogMigrations);
    const actor = db.database('muster_campaign');
    projector = db.database('muster_projector', 8);
    insight = db.database('muster_insight');
    const keyring = await Keyring.open({ database: actor, kek: randomBytes(32) });
    const common = { events: eventCatalog(contractDefinitions), keyring, clock: Date };
    writer = new PostgresLog({ database: actor, ...common });
    source = new PostgresLog({ database: projector, ...common });
  });
  afterEach(async () => {
    await Promise.all(runners.map((runner) => runner.stop()));
    runners = [];
  });
  afterAll(() => db.drop());

  it('takes over tables that an earlier release made in `proj`, with their rows and how far they are', async () => {
    await append(3);
    const half = await source.heads(['muster.campaign']);
    await projector.transaction(async (tx) => {
      await makeTables(tx, notes, 'proj');
      await tx.query(`insert into p_notes_v1 values ('acme', 3)`);
      for (const [key, next] of Object.entries(half))
        await tx.query('update checkpoint set next_off = $1 where topic || $2 || part = $3', [next, '/', key]);
    });
    await projector.query('create view proj.watching as select n from proj.p_notes_v1');
    await append(2);
    const runner = runnerOn();
    await runner.start();
    await runner.whenCaughtUp();
    expect(await noted()).toBe(5);
    expect(await projector.query('select n from proj.watching')).toEqual([{ n: 5 }]);
    expect(
      await projector.query(`select from pg_class where relnamespace = 'proj'::regnamespace and relname = any($1)`, [
        ['checkpoint', 'seen_sequence', 'parked'],
      ]),
    ).toEqual([]);
    await projector.query('drop view proj.watching');
    await runner.rebuild('notes');
    expect(await runner.verify('notes')).toEqual({ equal: true });
  });

  it('is noticed by a runner of another process, which applies to the new tables and to no others', async () => {
    const [here, there] = [runnerOn(), runnerOn()];
    await there.start();
    await append(5);
    await there.whenCaughtUp();
    const before = await liveSchema(projector, notes);
    const traffic = append(40);
    await here.rebuild('notes');
    await traffic;
    await there.whenCaughtUp();
    expect(await liveSchema(projector, notes)).not.toBe(before);
    expect(await noted()).toBe(await appended());
    expect(await here.verify('notes')).toEqual({ equal: true });
    expect(await generations()).toEqual([await liveSchema(projector, notes)]);
  });

  it('is refused with projection.rebuilding while another process rebuilds, and shows meanwhile', async () => {
    const { log, goOn } = slow();
    const first = runnerOn(log).rebuild('notes');
    const other = runnerOn();
    await expect.poll(async () => (await other.list())[0]?.isRebuilding).toBe(true);
    await expect(other.rebuild('notes')).rejects.toMatchObject({ code: 'projection.rebuilding' });
    goOn();
    await first;
    expect((await other.list())[0]?.isRebuilding).toBe(false);
  });

  it('waits for a reader whose transaction is open, lets traffic go on, and keeps the old tables for it', async () => {
    const runner = runnerOn();
    await runner.start();
    let swapped = false;
    await projector.transaction(async (tx) => {
      await tx.query('select n from proj.p_notes_v1');
      void runner.rebuild('notes').then(() => (swapped = true));
      await append(3);
      await runner.whenCaughtUp();
      expect(await noted()).toBe(await appended());
      expect(swapped).toBe(false);
    });
    await expect.poll(() => swapped, { timeout: 10_000 }).toBe(true);
    expect(await noted()).toBe(await appended());
  });

  it('waits for no reader once the runner is stopped', async () => {
    const runner = runnerOn();
    await runner.start();
    const before = await liveSchema(projector, notes);
    await projector.transaction(async (tx) => {
      await tx.query('select n from proj.p_notes_v1');
      const blocked = expect(runner.rebuild('notes')).rejects.toMatchObject({ code: 'projection.swap-blocked' });
      await expect.poll(async () => (await runner.list())[0]?.isRebuilding).toBe(true);
      await runner.stop();
      await blocked;
    });
    expect(await liveSchema(projector, notes)).toBe(before);
  });

  it('shows whoever locks the generations before its snapshot whole tables, before the swap or after it', async () => {
    const runner = runnerOn();
    await runner.start();
    const all = await appended();
    let isOver = false;
    const seen = new Set<number | undefined>();
    const reading = (async () => {
      while (!isOver)
        await insight.transaction(async (tx) => {
          await tx.query('set transaction isolation level repeatable read');
          await tx.query('lock table proj.generation in access share mode');
          await tx.query(`select set_config('muster.tenant', 'acme', true)`);
          await sleep(5);
          const [row] = await tx.query<{ n: number }>('select n from proj.p_notes_v1');
          seen.add(row?.n);
        });
    })();
    for (let n = 0; n < 3; n += 1) await runner.rebuild('notes');
    isOver = true;
    await reading;
    expect([...seen]).toEqual([all]);
  });

  it('that fails leaves the old tables and no new ones', async () => {
    const before = await generations();
    const cut: EventLog = Object.assign(Object.create(source) as PostgresLog, {
      readTolerantly: async () => {
        throw new Error('cut off');
      },
    });
    await expect(runnerOn(cut).rebuild('notes')).rejects.toThrow('cut off');
    expect(await generations()).toEqual(before);
    expect(await noted()).toBe(await appended());
  });

  it('whose swap is committed, but not heard of, is done', async () => {
    const runner = new ProjectionRunner({ database: deafOnce(projector), source, projections: [notes] });
    runners.push(runner);
    await runner.start();
    await append(2);
    await runner.rebuild('notes');
    await append(2);
    await runner.whenCaughtUp();
    expect(await noted()).toBe(await appended());
    expect(await generations()).toEqual([await liveSchema(projector, notes)]);
  });

  it('is not needed to make tables anew that somebody has dropped', async () => {
    await projector.query(`drop schema ${await liveSchema(projector, notes)} cascade`);
    const runner = runnerOn();
    await runner.start();
    await runner.whenCaughtUp();
    expect(await noted()).toBe(await appended());
  });
});

/** Loses its connection once, when the answer to the commit of a swap is on its way. */
function deafOnce(database: Database): Database {
  let isDeaf = true;
  const transaction = async <T>(work: (tx: Tx) => Promise<T>): Promise<T> => {
    let isSwap = false;
    const result = await database.transaction((tx) =>
      work({
        query: (sql, params) => {
          isSwap ||= /^delete from \S+\.checkpoint/.test(sql);
          return tx.query(sql, params);
        },
      }),
    );
    if (!isSwap || !isDeaf) return result;
    isDeaf = false;
    throw new EventLogError('log.unavailable');
  };
  return Object.assign(Object.create(database) as Database, { transaction });
}
