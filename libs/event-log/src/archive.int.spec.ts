import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { instant, newId } from '#runtime/index.js';
import { type TestDatabase, testDatabase } from '../../../test/support/database.js';
import { archivable, archive, type Archiving } from './archive.js';
import { type ArchiveFile, archiveFiles, archiveName, ArchiveReader } from './archive-reader.js';
import { eventCatalog } from './catalog.js';
import { Database } from './database.js';
import { type RawRecord, STORED_COLUMNS } from './envelope.js';
import type { EventRecord, Fact } from './event-log.js';
import { follow } from './follow.js';
import { Keyring } from './keyring.js';
import { contractDefinitions } from './log-contract.js';
import { eventLogMigrations } from './nest/event-log.module.js';
import { PostgresLog } from './postgres-log.js';
import { ProjectionRunner } from './projection-runner.js';
import { tallyByTenant } from './testing.js';

const TOPIC = 'muster.device';
const kek = randomBytes(32);
const events = eventCatalog(contractDefinitions);

let db: TestDatabase;
let superuser: Database;
let folder: string;
let keyring: Keyring;
let writer: PostgresLog;
let now = Date.parse('2026-01-01T00:00:00Z');
const clock = { now: () => now };

beforeAll(async () => {
  db = await testDatabase(eventLogMigrations);
  superuser = new Database(db.superuserUrl, { max: 4 });
  const database = db.database('muster_campaign');
  keyring = await Keyring.open({ database, kek });
  writer = new PostgresLog({ database, events, keyring, clock });
});
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'muster-archive-'));
  await superuser.query('truncate log.archive, log.record, log.stream');
  await superuser.query('update log.head set next_off = 0, last_at = default');
  return () => rmSync(folder, { recursive: true });
});
afterAll(async () => {
  await superuser.end();
  await db.drop();
});

let written = 0;
/** Facts of one partition that the tests name, so that it gets long. */
async function write(count: number, partition = 3, secret?: string): Promise<void> {
  now += 1_000;
  const facts = Array.from({ length: count }, (): Fact => {
    written += 1;
    const tenant = written % 3 === 0 ? 'umbrella' : 'acme';
    return {
      subject: `device-${written % 5}`,
      partition,
      context: { tenant, actor: 'system:test', commandId: newId(), ...(written % 2 === 0 && { causationId: newId() }) },
      event: { type: 'FactNoted', data: { text: `n ${written} \u0000 "\ud800"`, secret } },
      sequence: written % 4 === 0 ? undefined : { source: 'test', epoch: 1, n: written },
    };
  });
  await writer.appendFacts(TOPIC, facts);
}

const readerOf = () =>
  new PostgresLog({ database: db.database('muster_tail'), events, keyring, clock, archive: new ArchiveReader(folder) });
const stored = (partition = 3) =>
  superuser.query<RawRecord>(
    `select ${STORED_COLUMNS}, data::text as raw from log.record where topic = $1 and part = $2 order by off`,
    [TOPIC, partition],
  );
async function archived(limits: Partial<Archiving> = {}): Promise<ArchiveFile[]> {
  const files: ArchiveFile[] = [];
  const options = { database: superuser, folder, before: instant(now + 1), least: 1, ...limits };
  for await (const file of archive(options)) files.push(file);
  return files;
}
const fileOf = (file: ArchiveFile): string => path.join(folder, archiveName(file));

describe('archiving', () => {
  it('moves whole files of what is older than the instant, and leaves all else', async () => {
    await write(1_300);
    await write(7, 4);
    const before = instant(now + 1);
    await write(40);
    const whole = await stored();
    expect(await archivable(superuser, before)).toEqual(
      expect.arrayContaining([
        { partition: 3, first: 0, end: 1_300 },
        { partition: 4, first: 0, end: 7 },
        { partition: 5, first: 0, end: 0 },
      ]),
    );
    const files = await archived({ before, least: 10, fileRecords: 800 });
    expect(
      files.map(({ partition, first, next, blocks }) => [partition, first, next, blocks.map(({ count }) => count)]),
    ).toEqual([
      [3, 0, 800, [0, 500, 300]],
      [3, 800, 1_300, [0, 500]],
    ]);
    expect(await archiveFiles(superuser)).toEqual(files);
    expect(readdirSync(folder).toSorted()).toEqual(files.map(archiveName).toSorted());
    expect(await stored()).toEqual(whole.slice(1_300));
    expect(await stored(4)).toHaveLength(7);
    const kept: RawRecord[] = [];
    for (const file of files) for await (const page of new ArchiveReader(folder).pages(file)) kept.push(...page);
    expect(kept).toEqual(whole.slice(0, 1_300));
    expect(await archived({ before, least: 10 })).toEqual([]);
  });

  it('changes nothing that any reader gets, from any offset, of all tenants or of one, whatever lies where', async () => {
    const step = fc.oneof(
      {
        weight: 3,
        arbitrary: fc.record({ write: fc.integer({ min: 1, max: 9 }), partition: fc.integer({ min: 2, max: 4 }) }),
      },
      { weight: 2, arbitrary: fc.record({ fileRecords: fc.integer({ min: 1, max: 12 }), age: fc.nat(4_000) }) },
      {
        weight: 4,
        arbitrary: fc.record({
          partition: fc.integer({ min: 2, max: 4 }),
          from: fc.nat(60),
          limit: fc.integer({ min: 1, max: 30 }),
          tenant: fc.constantFrom(undefined, 'acme', 'umbrella'),
        }),
      },
    );
    const model = new Map([2, 3, 4].map((partition) => [partition, [] as EventRecord[]]));
    const patient = readerOf(); // remembers files and blocks of before
    let files = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 12, maxLength: 40 }), async (steps) => {
        for (const each of steps) {
          if ('write' in each) {
            const of = model.get(each.partition)!;
            await write(each.write, each.partition, 'sealed');
            of.push(...(await readerOf().read(TOPIC, each.partition, of.length, 100)));
          } else if ('age' in each) {
            files += (await archived({ fileRecords: each.fileRecords, before: instant(now - each.age) })).length;
          } else {
            const { partition, from, limit, tenant } = each;
            const wanted = model
              .get(partition)!
              .filter(({ offset, tenant: of }) => offset >= from && (tenant ?? of) === of);
            for (const reader of [patient, readerOf()])
              expect(await reader.read(TOPIC, partition, from, limit, tenant)).toEqual(wanted.slice(0, limit));
          }
        }
      }),
      { numRuns: 6, endOnFailure: true }, // what a run leaves is where the next begins
    );
    expect(files).toBeGreaterThan(6);
  }, 120_000);

  it('is seen whole by readers that read while it happens, and hands a follower every record once', async () => {
    await write(3_000);
    const whole = await readerOf().read(TOPIC, 3, 0, 10_000);
    let isDone = false;
    const reading = async (reader: PostgresLog, tenant?: string) => {
      let reads = 0;
      for (let from = 0; !isDone; from = (from + 777) % 2_900) {
        const wanted = whole.filter(({ offset, tenant: of }) => offset >= from && (tenant ?? of) === of).slice(0, 50);
        expect(await reader.read(TOPIC, 3, from, 50, tenant)).toEqual(wanted);
        reads += 1;
        await setImmediate(); // what is in memory is read without a turn of the loop
      }
      return reads;
    };
    const readers = [reading(readerOf()), reading(readerOf(), 'umbrella')];
    await archived({ fileRecords: 300 }).finally(() => (isDone = true));
    for (const reads of await Promise.all(readers)) expect(reads).toBeGreaterThan(3);
    const seen: string[] = [];
    const stop = new AbortController();
    const options = { topics: [TOPIC] as const, from: { [`${TOPIC}/3`]: 120 }, signal: stop.signal, batchSize: 400 };
    await write(10);
    await follow(readerOf(), options, async (batch) => {
      seen.push(...batch.map(({ id }) => id));
      if (seen.length === 2_890) stop.abort();
    });
    expect(seen.slice(0, 2_880)).toEqual(whole.slice(120).map(({ id }) => id));
  }, 60_000);

  it('is done by one process at a time: the other is refused with archive.running', async () => {
    await write(2_000);
    const [one, other] = await Promise.allSettled([archived({ fileRecords: 500 }), archived({ fileRecords: 500 })]);
    const refusals = [one, other].filter(({ status }) => status === 'rejected');
    for (const each of refusals) expect(each).toMatchObject({ reason: { code: 'archive.running' } });
    expect(refusals.length).toBeLessThan(2);
    expect(await readerOf().read(TOPIC, 3, 0, 3_000)).toHaveLength(2_000);
    expect((await archiveFiles(superuser)).map(({ first, next }) => [first, next])).toEqual([
      [0, 500],
      [500, 1_000],
      [1_000, 1_500],
      [1_500, 2_000],
    ]);
  });

  it('is refused with log.gap before a record that is missing, and leaves table and folder as they were', async () => {
    await write(20);
    await superuser.query('delete from log.record where topic = $1 and off = 11', [TOPIC]);
    const before = await stored();
    await expect(archived()).rejects.toMatchObject({ code: 'log.gap', details: { partition: 3, missing: 11 } });
    expect(await stored()).toEqual(before);
    expect([...readdirSync(folder), ...(await archiveFiles(superuser))]).toEqual([]);
  });

  it('needs a right that no role has', async () => {
    await write(5);
    for (const role of ['muster_tail', 'muster_projector'] as const)
      await expect(archived({ database: db.database(role) })).rejects.toThrow(/permission denied/);
    for (const database of [db.database('muster_campaign'), db.owner]) expect(await archived({ database })).toEqual([]);
    expect(await stored()).toHaveLength(5);
  });
});

describe('a read model', () => {
  let name = '';
  beforeEach(() => {
    name = `tally_${randomBytes(4).toString('hex')}`; // the log of each test begins at 0
  });
  const runnerOn = (source: PostgresLog) =>
    new ProjectionRunner({
      database: db.database('muster_projector', 8),
      source,
      projections: [tallyByTenant(name, [TOPIC])],
    });
  const rows = (schema = 'proj') => superuser.query(`select * from ${schema}.p_${name}_v1 order by tenant`);

  it('is the same in a rebuild, a verification and as of a moment, before and after', async () => {
    await write(900);
    const past = instant(now);
    await write(700);
    const reader = readerOf();
    const runner = runnerOn(reader);
    await runner.start();
    await runner.whenCaughtUp();
    const pastOf = async () => {
      const copy = await runner.buildAsOf(name, past);
      return rows(copy.schema).finally(() => copy.drop());
    };
    const [live, then] = [await rows(), await pastOf()];
    await archived({ before: instant(now), fileRecords: 400 });
    await write(300);
    await archived({ fileRecords: 250 });
    await write(50);
    await runner.whenCaughtUp();
    await runner.rebuild(name);
    expect(await runner.verify(name)).toEqual({ equal: true });
    expect(await pastOf()).toEqual(then);
    const sum = (all: object[]) => (all as { n: number }[]).reduce((of, { n }) => of + n, 0);
    expect([sum(live), sum(await rows()), sum(then)]).toEqual([1_600, 1_950, 900]);
    await runner.stop();
  }, 60_000);

  const spoilt: [how: string, code: string, spoil: (file: string) => void][] = [
    ['is missing', 'archive.missing', (file) => renameSync(file, `${file}.away`)],
    ['was cut short', 'archive.damaged', (file) => writeFileSync(file, readFileSync(file).subarray(0, -9))],
    [
      'has one other bit',
      'archive.damaged',
      (file) => {
        const bytes = readFileSync(file);
        bytes[bytes.length >> 1]! ^= 4;
        writeFileSync(file, bytes);
      },
    ],
  ];
  it.each(spoilt)(
    'is not rebuilt from a file that %s: %s names it, what is live stays, and it heals',
    async (_how, code, spoil) => {
      await write(700);
      const runner = runnerOn(readerOf());
      await runner.start();
      await runner.whenCaughtUp();
      const live = await rows();
      const [file] = await archived({ fileRecords: 600 });
      const good = readFileSync(fileOf(file!));
      spoil(fileOf(file!));
      const fresh = readerOf();
      const told = { code, details: { file: archiveName(file!), topic: TOPIC, partition: 3, first: 0, next: 600 } };
      await expect(fresh.read(TOPIC, 3, 0, 700)).rejects.toMatchObject(told);
      await expect(fresh.readTolerantly(TOPIC, 3, 0, 700, 'acme')).rejects.toMatchObject(told);
      expect(await fresh.read(TOPIC, 3, 600, 200)).toHaveLength(100);
      await expect(runnerOn(fresh).rebuild(name)).rejects.toMatchObject(told);
      expect(await rows()).toEqual(live);
      writeFileSync(fileOf(file!), good);
      await runner.rebuild(name);
      expect(await rows()).toEqual(live);
      await runner.stop();
    },
    60_000,
  );

  it('is not even begun by a process that lacks a file, or has it in another length', async () => {
    await write(9);
    const [file] = await archived();
    const starts = () => new ArchiveReader(folder).requireFiles(superuser);
    await starts();
    const good = readFileSync(fileOf(file!));
    writeFileSync(fileOf(file!), Buffer.concat([good, Buffer.of(0)]));
    await expect(starts()).rejects.toMatchObject({ code: 'archive.damaged', details: { file: archiveName(file!) } });
    rmSync(fileOf(file!));
    await expect(starts()).rejects.toMatchObject({ code: 'archive.missing', details: { cause: 'ENOENT' } });
  });

  it('is not read without the folder: archive.missing says so, and a record in the table is read as ever', async () => {
    await write(20);
    await archived();
    await write(5);
    const without = new PostgresLog({ database: db.database('muster_tail'), events, keyring, clock });
    await expect(without.read(TOPIC, 3, 0, 10)).rejects.toMatchObject({ code: 'archive.missing' });
    await expect(without.read(TOPIC, 3, 0, 10, 'acme')).rejects.toMatchObject({ code: 'archive.missing' });
    expect(await without.read(TOPIC, 3, 20, 10)).toHaveLength(5);
  });
});

describe('an erasure', () => {
  it('reaches what is archived: the key goes, and not a byte of the file', async () => {
    await write(30, 3, 'where she was');
    const [file] = await archived();
    const bytes = readFileSync(fileOf(file!));
    const secrets = async () => {
      const fresh = await Keyring.open({ database: db.database('muster_campaign'), kek });
      const log = new PostgresLog({
        database: db.database('muster_tail'),
        events,
        keyring: fresh,
        clock,
        archive: new ArchiveReader(folder),
      });
      const records = await log.read(TOPIC, 3, 0, 100);
      return records.map(({ stream, data }) => [stream, (data as { secret: unknown }).secret] as const);
    };
    expect(new Set((await secrets()).map(([, secret]) => secret))).toEqual(new Set(['where she was']));
    await keyring.forget('acme', 'device-1');
    for (const [stream, secret] of await secrets())
      expect([stream, secret]).toEqual([stream, stream === 'acme/device-1' ? null : 'where she was']);
    expect(readFileSync(fileOf(file!))).toEqual(bytes);
  });
});
