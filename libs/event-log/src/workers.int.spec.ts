import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { newId, silentLog } from '#runtime/index.js';
import { type TestDatabase, testDatabase } from '../../../test/support/database.js';
import { eventCatalog } from './catalog.js';
import type { Database } from './database.js';
import { partitionsOf } from './follow.js';
import { prepareGeneration } from './generation.js';
import { Keyring } from './keyring.js';
import { contractDefinitions } from './log-contract.js';
import { eventLogMigrations } from './nest/event-log.module.js';
import { partitionKey } from './position.js';
import { PostgresLog } from './postgres-log.js';
import { projection } from './projection.js';
import { ProjectionRunner } from './projection-runner.js';
import { tallyByTenant } from './testing.js';
import { Workers } from './workers.js';

const tallies = tallyByTenant('tallies', ['muster.campaign', 'muster.device']);
const other = projection('other', 1, {
  topics: tallies.topics,
  tables: [],
  ddl: [],
  apply: async () => undefined,
});
const PLACES = partitionsOf(tallies.topics).map(({ topic, partition }) => partitionKey(topic, partition));

describe('workers', () => {
  let db: TestDatabase;
  let projector: Database;
  let workers: Workers[] = [];

  const worker = async (...projections: (typeof tallies)[]) => {
    const made = new Workers(projector, projections, silentLog);
    workers.push(made);
    await made.beat();
    return made;
  };
  const allBeat = async () => {
    for (const each of workers) await each.beat();
  };
  const shareOf = (each: Workers) => PLACES.filter((place) => each.owns(tallies, place));

  beforeAll(async () => {
    db = await testDatabase(eventLogMigrations);
    projector = db.database('muster_projector', 10);
    await prepareGeneration(projector, tallies);
  });
  afterEach(async () => {
    await Promise.all(workers.map((each) => each.leave()));
    workers = [];
  });
  afterAll(() => db.drop());

  it('that are alone own every partition at once', async () => {
    expect(shareOf(await worker(tallies))).toEqual(PLACES);
  });

  it('own each partition once, and one that leaves gives up its own and no other', async () => {
    const [a, b, c] = [await worker(tallies), await worker(tallies), await worker(tallies)];
    await allBeat();
    const shares = [a, b, c].map(shareOf);
    expect(shares.flat().toSorted()).toEqual(PLACES.toSorted());
    expect(Math.min(...shares.map(({ length }) => length))).toBeGreaterThan(0);
    await c.leave();
    workers = [a, b];
    await allBeat();
    expect([a, b].flatMap(shareOf).toSorted()).toEqual(PLACES.toSorted());
    expect(shareOf(a)).toEqual(expect.arrayContaining(shares[0]!));
    expect(shareOf(b)).toEqual(expect.arrayContaining(shares[1]!));
  });

  it('share a projection with those alone that keep it', async () => {
    const mine = await worker(tallies);
    await worker(other);
    await allBeat();
    expect(shareOf(mine)).toEqual(PLACES);
  });

  it('lose their partitions when they are silent, and get them back when they are not', async () => {
    const [stopped, going] = [await worker(tallies), await worker(tallies)];
    await projector.query(`update proj.worker set seen_at = clock_timestamp() - interval '11 seconds'`);
    await going.beat();
    expect(shareOf(going)).toEqual(PLACES);
    await stopped.beat();
    await going.beat();
    expect(shareOf(going).length).toBeLessThan(PLACES.length);
  });

  it('lose them at once when their session is gone, and come back under another name', async () => {
    const [cut, going] = [await worker(tallies), await worker(tallies)];
    await projector.query(
      `select pg_terminate_backend(l.pid) from pg_locks l, proj.worker w where l.locktype = 'advisory' and l.objsubid = 1
         and (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended('muster.worker/' || w.id, 0)
         and w.seen_at = (select min(seen_at) from proj.worker)`,
    );
    await expect.poll(async () => (await going.beat(), shareOf(going))).toEqual(PLACES);
    await cut.beat(); // finds its session gone, and knows of nobody
    expect(shareOf(cut)).toEqual(PLACES);
    await cut.beat();
    await going.beat();
    expect([cut, going].flatMap(shareOf).toSorted()).toEqual(PLACES.toSorted());
  });
});

describe('runners of several processes', () => {
  let db: TestDatabase;
  let writer: PostgresLog;
  let source: PostgresLog;

  const runnerOn = (seen: string[]) =>
    new ProjectionRunner({
      database: db.database('muster_projector', 6),
      source,
      projections: [tallies],
      onBatch: (_, [first]) => seen.push(`${first!.topic}/${first!.partition}`),
    });
  const append = async (count: number) => {
    for (let n = 0; n < count; n += 1)
      await writer.append(
        'muster.campaign',
        { subject: newId() },
        [{ type: 'ThingNoted', data: { text: String(n) } }],
        { tenant: 'acme', actor: 'system:test', commandId: newId() },
      );
  };

  beforeAll(async () => {
    db = await testDatabase(eventLogMigrations);
    const actor = db.database('muster_campaign');
    const keyring = await Keyring.open({ database: actor, kek: randomBytes(32) });
    const common = { events: eventCatalog(contractDefinitions), keyring, clock: Date };
    writer = new PostgresLog({ database: actor, ...common });
    source = new PostgresLog({ database: db.database('muster_projector'), ...common });
  });
  afterAll(() => db.drop());

  it('read each partition in one of them, and the rest goes on when one stops', async () => {
    const [seenHere, seenThere]: [string[], string[]] = [[], []];
    const [here, there] = [runnerOn(seenHere), runnerOn(seenThere)];
    await here.start();
    await there.start();
    await expect
      .poll(
        async () => {
          [seenHere.length, seenThere.length] = [0, 0];
          await append(60);
          await here.whenCaughtUp();
          const both = seenHere.filter((place) => seenThere.includes(place));
          return seenHere.length > 0 && seenThere.length > 0 && both.length === 0;
        },
        { timeout: 20_000 },
      )
      .toBe(true);
    await there.stop();
    await append(60);
    await here.whenCaughtUp();
    expect(await here.verify('tallies')).toEqual({ equal: true });
    await here.stop();
    expect(await db.database('muster_projector').query('select from proj.worker')).toEqual([]);
  });
});
