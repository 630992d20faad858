import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { campaignDefinitions } from '#campaign/events.js';
import {
  archive,
  ArchiveReader,
  Database,
  eventCatalog,
  type Fact,
  Keyring,
  PARTITIONS,
  PostgresLog,
  ProjectionRunner,
} from '#event-log/index.js';
import { eventLogMigrations } from '#event-log/nest/event-log.module.js';
import { tallyByTenant } from '#event-log/testing.js';
import { newId, systemClock } from '#runtime/index.js';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { bench } from './harness.js';

/** Polls a batch: what a partition collects within a flush, on a server with some hundreds a second. */
const POLLS = 20;
const SIZES = [3_000, 12_000, 48_000];
const PAGE = 2_000; // as a rebuild reads

interface Kept {
  tables: TestDatabase;
  folder: string;
  /** A log and a runner that have read nothing yet: an `ArchiveReader` keeps blocks, and a small log's are not many more. */
  opened(): Promise<{ log: PostgresLog; runner: ProjectionRunner }>;
}
const kept = new Map<string, Kept>();

beforeAll(async () => {
  for (const size of SIZES)
    for (const where of ['table', 'files'] as const) kept.set(`${where} ${size}`, await filled(size, where));
}, 900_000);
afterAll(async () => {
  for (const { tables, folder } of kept.values()) {
    await tables.drop();
    rmSync(folder, { recursive: true });
  }
});

async function filled(size: number, where: 'table' | 'files'): Promise<Kept> {
  const tables = await testDatabase(eventLogMigrations);
  const folder = mkdtempSync(path.join(tmpdir(), 'muster-archive-bench-'));
  const database = tables.database('muster_campaign');
  const keyring = await Keyring.open({ database, kek: randomBytes(32) });
  const common = { events: eventCatalog(campaignDefinitions), keyring, clock: systemClock };
  const writer = new PostgresLog({ database, ...common });
  for (let at = 0; at < size; at += 500)
    await writer.appendFacts(
      'muster.device',
      Array.from({ length: Math.min(500, size - at) }, (_, i) => polls(at + i)),
    );
  const superuser = new Database(tables.superuserUrl, { max: 1 });
  const [table] = await superuser.query<{ bytes: number }>(
    `select pg_total_relation_size('log.record_device') as bytes`,
  );
  const began = performance.now();
  let bytes = 0;
  if (where === 'files') {
    const options = { database: superuser, folder, before: new Date(Date.now() + 60_000).toISOString(), least: 1 };
    for await (const file of archive(options)) bytes += file.bytes;
    const [tableBytes, fileBytes] = [Math.round(table!.bytes / size), Math.round(bytes / size)];
    const recordsPerSecond = Math.round((size * 1_000) / (performance.now() - began));
    console.log(JSON.stringify({ bench: 'archive', figure: 'bytes', size, tableBytes, fileBytes, recordsPerSecond }));
  }
  await superuser.query('vacuum analyze');
  await superuser.end();
  const projector = tables.database('muster_projector', 8);
  const projections = [tallyByTenant('tally', ['muster.device'])];
  const opened = async () => {
    const log = new PostgresLog({ database: projector, ...common, archive: new ArchiveReader(folder) });
    const runner = new ProjectionRunner({ database: projector, source: log, projections });
    await runner.prepare();
    return { log, runner };
  };
  return { tables, folder, opened };
}

const polls = (n: number): Fact => {
  const partition = n % PARTITIONS;
  const from = new Date(1_790_000_000_000 + n * 500).toISOString();
  const columns = Buffer.alloc(15 * POLLS); // as `PollsRecorded` packs them: number, milliseconds, rule, answer, digest
  for (let at = 0; at < columns.length; at += 15) {
    randomBytes(2).copy(columns, at + 2); // one of 65 536 devices
    randomBytes(2).copy(columns, at + 5); // within a minute
    columns.write('5eed0badcafe', at + 9, 'hex');
  }
  const data = {
    partition,
    channel: 'main',
    from,
    count: POLLS,
    rules: ['floor;v=1'],
    columns: columns.toString('base64'),
  };
  const context = { tenant: `tenant-${n % 3}`, actor: 'system:polls', commandId: newId() };
  return { subject: 'polls', partition, context, event: { type: 'PollsRecorded', data }, occurredAt: from };
};

/** CPU of this process; the work of Postgres is not in it. */
async function spent(work: () => Promise<number>) {
  const before = process.cpuUsage();
  const count = await work();
  const { user, system } = process.cpuUsage(before);
  return { count, seconds: (user + system) / 1e6 };
}

const read = (where: string) => async (size: number) => {
  const { log } = await kept.get(`${where} ${size}`)!.opened();
  return spent(async () => {
    let count = 0;
    for (let partition = 0; partition < PARTITIONS; partition += 1)
      for (let next = 0; ; ) {
        const page = await log.readTolerantly('muster.device', partition, next, PAGE);
        count += page.length;
        next += page.length;
        if (page.length < PAGE) break;
      }
    return count;
  });
};

const rebuild = (where: string) => async (size: number) => {
  const { runner } = await kept.get(`${where} ${size}`)!.opened();
  return spent(async () => {
    await runner.rebuild('tally');
    return size;
  });
};

bench({
  name: 'archive',
  load: `PollsRecorded of ${POLLS} polls each over ${PARTITIONS} partitions, read in pages of ${PAGE}, and rebuilt into a read model that counts them; from archive files and from the table`,
  unit: 'record',
  clock: 'cpu',
  sizes: { of: 'records', values: SIZES },
  contenders: [
    { name: 'read from files', run: read('files') },
    { name: 'read from the table', run: read('table') },
    { name: 'rebuild from files', run: rebuild('files') },
    { name: 'rebuild from the table', run: rebuild('table') },
  ],
  goals: [{ of: 'rebuild from files', against: 'rebuild from the table', runsAtLeast: 0.8 }],
  slopesBelow: { 'rebuild from files': 0.05 },
  notes: ['CPU of the process that reads; what Postgres spends for the table is not in it.'],
});
