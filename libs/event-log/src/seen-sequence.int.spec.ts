import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { instant, newId } from '#runtime/index.js';
import { type TestDatabase, testDatabase } from '../../../test/support/database.js';
import type { Database, Tx } from './database.js';
import { EventLogError, type EventRecord } from './event-log.js';
import { eventLogMigrations } from './nest/event-log.module.js';
import { projection } from './projection.js';
import { ProjectionBuild } from './projection-build.js';
import { dropDuplicates } from './seen-sequence.js';

const TOPIC = 'muster.device';
const BEGIN = Date.parse('2026-01-01T00:00:00Z');
const HOUR = 3_600_000;
const nothing = projection('nothing', 1, { topics: [TOPIC], tables: [], ddl: [], apply: async () => undefined });

const record = (offset: number, hours: number, source: string, n = 1): EventRecord => ({
  topic: TOPIC,
  partition: 0,
  offset,
  stream: 'acme/x',
  version: 0,
  id: newId(),
  type: 'Noted',
  schemaVersion: 1,
  data: {},
  tenant: 'acme',
  subject: 'x',
  actor: 'system:test',
  commandId: 'c',
  correlationId: 'c',
  causationId: null,
  traceparent: null,
  occurredAt: instant(BEGIN),
  receivedAt: instant(BEGIN + hours * HOUR),
  sequence: { source, epoch: 1, n },
});

describe('what is remembered of sources', () => {
  let db: TestDatabase;
  let projector: Database;
  let build: ProjectionBuild;
  let place: unknown[];
  let part = 0;

  beforeAll(async () => {
    db = await testDatabase(eventLogMigrations);
    projector = db.database('muster_projector');
    await (build = new ProjectionBuild(nothing, 'proj_shadow_nothing', projector)).create();
  });
  afterAll(async () => {
    await build.drop();
    await db.drop();
  });

  const inBuild = <T>(work: (tx: Tx) => Promise<T>) =>
    projector.transaction(async (tx) => {
      await build.enter(tx);
      return work(tx);
    });
  const begin = () => (place = ['nothing', 1, TOPIC, (part += 1)]);
  /** Offsets of the records that are no repetition. */
  const passing = async (...batches: EventRecord[][]) => {
    const passed: number[] = [];
    for (const batch of batches)
      passed.push(...(await inBuild((tx) => dropDuplicates(tx, place, batch))).map(({ offset }) => offset));
    return passed;
  };
  const remembered = async () =>
    (await inBuild((tx) => tx.query<{ source: string }>('select source from seen_sequence where part = $1', [part])))
      .map(({ source }) => source)
      .toSorted();

  it('ends for producers that wrote nothing for a day and 100 000 records, and never for devices', async () => {
    begin();
    await passing(
      [record(0, 0, 'device:d1'), record(1, 0, 'campaign:old/0')],
      [record(150_000, 23, 'campaign:busy/0'), record(150_001, 30, 'campaign:new/0')],
    );
    expect(await remembered()).toEqual(['acme/campaign:busy/0', 'acme/campaign:new/0', 'acme/device:d1']);
  });

  it('holds through an outage of days, and through a flood within a day', async () => {
    begin();
    const first = [record(0, 0, 'campaign:a/0')];
    expect(await passing(first, [record(90_000, 99, 'campaign:a/0')], [record(900_000, 23, 'campaign:a/0')])).toEqual([
      0,
    ]);
  });

  it('is the same however the records are cut into batches', async () => {
    const records = [
      ...[record(0, 0, 'campaign:a/0'), record(1, 0, 'device:d1'), record(99_000, 20, 'campaign:b/0')],
      ...[record(150_000, 30, 'campaign:a/0'), record(150_001, 30, 'device:d1'), record(250_000, 60, 'campaign:b/0')],
    ];
    const expected = [0, 1, 99_000, 150_000, 250_000];
    begin();
    expect(await passing(records)).toEqual(expected);
    begin();
    expect(await passing(...records.map((each) => [each]))).toEqual(expected);
  });
});

describe('a build that is filled', () => {
  const TABLE = 'p_noted_v1';
  /** What happens to a batch. */
  type Trouble = 'fails' | 'is not heard of' | 'is applied by another' | undefined;
  const ROWS = `select source, epoch, n, off, received_at, is_passing from seen_sequence order by source`;

  let db: TestDatabase;
  let projector: Database;
  let builds = 0;
  beforeAll(async () => {
    db = await testDatabase(eventLogMigrations);
    projector = db.database('muster_projector');
  });
  afterAll(() => db.drop());

  /** @returns what was applied, and what is remembered */
  async function filled(batches: readonly (readonly EventRecord[])[], troubles: readonly Trouble[]) {
    let trouble: Trouble;
    const noted = projection('noted', 1, {
      topics: [TOPIC],
      tables: [TABLE],
      ddl: [`create table ${TABLE} (off bigint primary key)`],
      apply: async (batch, tx) => {
        if (trouble === 'fails') throw new EventLogError('log.unavailable');
        await tx.query(`insert into ${TABLE} select unnest($1::bigint[])`, [batch.map(({ offset }) => offset)]);
      },
    });
    const transaction = async <T>(work: (tx: Tx) => Promise<T>): Promise<T> => {
      const result = await projector.transaction(work);
      if (trouble === 'is not heard of') throw new EventLogError('log.unavailable');
      return result;
    };
    const unheard = Object.assign(Object.create(projector) as Database, { transaction });
    const schema = `proj_shadow_noted_${(builds += 1)}`;
    const build = new ProjectionBuild(noted, schema, unheard);
    await build.create();
    for (const [index, batch] of batches.entries()) {
      trouble = troubles[index];
      if (trouble === 'is applied by another') await new ProjectionBuild(noted, schema, projector).apply(batch);
      else if (trouble !== undefined)
        await expect(build.apply(batch)).rejects.toMatchObject({ code: 'log.unavailable' });
      trouble = undefined;
      await build.apply(batch);
    }
    return projector
      .transaction(async (tx) => {
        await build.enter(tx);
        return { applied: await tx.query(`select off from ${TABLE} order by off`), remembered: await tx.query(ROWS) };
      })
      .finally(() => build.drop());
  }

  it('drops and remembers what a live one does, whatever happens to its batches', async () => {
    const records = Array.from({ length: 900 }, (_, offset) => {
      const device = (offset * 7) % 300;
      const source = offset % 10 === 0 ? 'campaign:a/0' : `device:d${device}`;
      return record(offset, offset / 100, source, offset % 3 === 0 ? 1 : offset);
    });
    const batches = Array.from({ length: 6 }, (_, index) => records.slice(index * 150, index * 150 + 150));
    const asLive = await filled(
      batches,
      batches.map((): Trouble => 'is applied by another'),
    );
    expect(asLive.applied.length).toBeLessThan(850);
    expect(asLive.remembered.length).toBeGreaterThan(200);
    const none = undefined;
    for (const troubles of [
      [],
      ['fails', none, 'fails'],
      [none, 'is not heard of', none, 'fails'],
      ['is not heard of', 'fails'],
      [none, none, 'is applied by another', 'is not heard of'],
    ] satisfies Trouble[][])
      expect(await filled(batches, troubles)).toEqual(asLive);
  }, 60_000);
});
