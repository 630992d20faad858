import { createHash, randomBytes } from 'node:crypto';
import { chown, type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { failpoint, flush } from '#runtime/index.js';
import { BLOCK, headerOf, lineOf, packLines } from './archive-format.js';
import { ARCHIVED, type ArchiveFile, archiveName, ArchiveReader, type Block } from './archive-reader.js';
import { keyOf } from './build-lock.js';
import { afterCommit, type Database, type Tx } from './database.js';
import { type RawRecord, STORED_COLUMNS } from './envelope.js';
import { EventLogError } from './event-log.js';

/** Records younger than this stay in the table, unless somebody says otherwise. */
export const ARCHIVE_AFTER_DAYS = 90;
/** A file ends at one of these: what one transaction moves, and what is lost with one file. */
const FILE = { records: 50_000, textBytes: 67_108_864 } as const;
const PAGE = 1_000;
/** How the name of a file ends while it is written. */
const HALF = '.new';

export interface Archiving {
  /** Of a role under no row-level security that may delete records: an operator's, never a server's. */
  database: Database;
  folder: string;
  /** Records received before this instant (RFC 3339) go. */
  before: string;
  /** A partition that has fewer to go keeps them. */
  least: number;
  /** When a file is full. */
  fileRecords?: number;
}

/** What may go of a partition: from where its files end to its first record that is too young. */
export interface Archivable {
  partition: number;
  first: number;
  end: number;
}

/** Times of receipt never fall along a partition, so that the first young record is found by halving. */
const ARCHIVABLE = `
  with recursive held as (
    select h.part, h.next_off as head,
      coalesce((select max(next_off) from log.archive a where a.topic = h.topic and a.part = h.part), 0) as first
    from log.head h where h.topic = $1),
  search as (
    select part, first, first as low, head as high from held
    union all
    select s.part, s.first, case when m.is_old then m.middle + 1 else s.low end, case when m.is_old then s.high else m.middle end
    from search s cross join lateral (
      select (s.low + s.high) / 2 as middle, (
        select received_at < $2 from log.record r
        where r.topic = $1 and r.part = s.part and r.off = (s.low + s.high) / 2) as is_old) m
    where s.low < s.high)
  select part as partition, first, low as end from search where low >= high order by part`;

export const archivable = (db: Tx, before: string): Promise<Archivable[]> =>
  db.query<Archivable>(ARCHIVABLE, [ARCHIVED, before]);

/**
 * Moves old records to files, one transaction a file: the file is whole and flushed before the transaction that names it
 * takes the records from the table. A kill at any point leaves a file that no row names, at most.
 * @throws EventLogError `archive.running`, `log.gap`
 */
export async function* archive(options: Archiving): AsyncGenerator<ArchiveFile> {
  const { folder } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await giveToOwner(folder, path.dirname(folder));
  await flush(path.dirname(folder));
  for (const { partition } of await archivable(options.database, options.before))
    for (;;) {
      const file = await archiveNext(options, partition);
      if (file === undefined) break;
      yield file;
    }
}

function archiveNext({ database, folder, before, least, fileRecords }: Archiving, partition: number) {
  return database.transaction(async (tx) => {
    await takeLock(tx);
    await removeHalves(folder);
    const range = (await archivable(tx, before)).find((each) => each.partition === partition);
    if (range === undefined || range.end - range.first < Math.max(least, 1)) return undefined;
    const most = { ...range, end: Math.min(range.end, range.first + (fileRecords ?? FILE.records)) };
    const file = await writeFile(folder, most, recordsOf(tx, most));
    await requireReadable(folder, file);
    await move(tx, file);
    failpoint('archive.before-commit');
    afterCommit(tx, () => failpoint('archive.after-commit'));
    return file;
  });
}

async function takeLock(tx: Tx): Promise<void> {
  const [lock] = await tx.query<{ isFree: boolean }>('select pg_try_advisory_xact_lock($1) as "isFree"', [
    await keyOf(tx, 'archive'),
  ]);
  if (lock?.isFree !== true) throw new EventLogError('archive.running', {}, 'another process archives just now');
}

/** Of killed processes: under the lock nobody writes one. */
async function removeHalves(folder: string): Promise<void> {
  for (const name of await readdir(folder)) if (name.endsWith(HALF)) await rm(path.join(folder, name), { force: true });
}

/** @throws EventLogError `log.gap`: what is missing must not be hidden by an archive */
async function* recordsOf(tx: Tx, { partition, first, end }: Archivable): AsyncGenerator<RawRecord> {
  for (let next = first; next < end; ) {
    const rows = await tx.query<RawRecord>(
      `select ${STORED_COLUMNS}, data::text as raw from log.record
       where topic = $1 and part = $2 and off >= $3 and off < $4 order by off limit ${PAGE}`,
      [ARCHIVED, partition, next, end],
    );
    if (rows.length === 0) throw new EventLogError('log.gap', { topic: ARCHIVED, partition, missing: next });
    for (const row of rows) {
      if (row.off !== next) throw new EventLogError('log.gap', { topic: ARCHIVED, partition, missing: next });
      next += 1;
      yield row;
    }
  }
}

async function writeFile(folder: string, { partition, first }: Archivable, records: AsyncIterable<RawRecord>) {
  const half = path.join(folder, `${randomBytes(6).toString('hex')}${HALF}`);
  const handle = await open(half, 'wx', 0o600);
  try {
    await giveToOwner(half, folder);
    const writer = new BlockWriter(handle, first);
    await writer.header(headerOf({ topic: ARCHIVED, partition, first }));
    for await (const row of records) if (await writer.add(lineOf(row))) break;
    const file: ArchiveFile = { topic: ARCHIVED, partition, first, ...(await writer.end()) };
    await handle.sync();
    failpoint('archive.before-rename');
    await rename(half, path.join(folder, archiveName(file)));
    await flush(folder);
    failpoint('archive.after-rename');
    return file;
  } finally {
    await handle.close();
    await rm(half, { force: true });
  }
}

/** Lines to members of a file. */
class BlockWriter {
  private readonly blocks: Block[] = [];
  private readonly hash = createHash('sha256');
  private lines: string[] = [];
  private textBytes = 0;
  private inFile = { records: 0, textBytes: 0, bytes: 0 };

  constructor(
    private readonly handle: FileHandle,
    private readonly first: number,
  ) {}

  async header(line: string): Promise<void> {
    await this.write([line], 0);
  }

  /** @returns whether the file is full */
  async add(line: string): Promise<boolean> {
    this.lines.push(line);
    this.textBytes += line.length;
    if (this.lines.length >= BLOCK.records || this.textBytes >= BLOCK.textBytes) await this.block();
    return this.inFile.textBytes >= FILE.textBytes;
  }

  async end(): Promise<Pick<ArchiveFile, 'next' | 'bytes' | 'sha256' | 'blocks'>> {
    if (this.lines.length > 0) await this.block();
    const { records, bytes } = this.inFile;
    return { next: this.first + records, bytes, sha256: this.hash.digest('hex'), blocks: this.blocks };
  }

  private async block(): Promise<void> {
    await this.write(this.lines, this.lines.length);
    this.inFile.textBytes += this.textBytes;
    [this.lines, this.textBytes] = [[], 0];
  }

  private async write(lines: readonly string[], count: number): Promise<void> {
    const { bytes, sha256 } = await packLines(lines);
    await this.handle.writeFile(bytes); // from where the one before ended, and all of it
    this.hash.update(bytes);
    const { records, bytes: at } = this.inFile;
    this.blocks.push({ first: this.first + records, count, at, bytes: bytes.length, sha256 });
    this.inFile.records += count;
    this.inFile.bytes += bytes.length;
  }
}

/** A server that runs as another user must be able to read what root archives. */
async function giveToOwner(made: string, parent: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = await stat(parent);
  await chown(made, uid, gid);
}

/** As any reader will: before the records are gone from the table. */
async function requireReadable(folder: string, file: ArchiveFile): Promise<void> {
  let next = file.first;
  for await (const rows of new ArchiveReader(folder).pages(file))
    for (const { off } of rows) {
      if (off !== next) throw new EventLogError('log.gap', { file: archiveName(file), missing: next });
      next += 1;
    }
  if (next !== file.next) throw new EventLogError('log.gap', { file: archiveName(file), missing: next });
}

async function move(tx: Tx, { topic, partition, first, next, bytes, sha256, blocks }: ArchiveFile): Promise<void> {
  const members = blocks.map(({ count, bytes: length, sha256: digest }) => [count, length, digest]);
  await tx.query(
    `insert into log.archive (topic, part, first_off, next_off, bytes, sha256, blocks)
     values ($1, $2, $3, $4, $5, decode($6, 'hex'), $7)`,
    [topic, partition, first, next, bytes, sha256, JSON.stringify(members)],
  );
  const [gone] = await tx.query<{ n: number }>(
    `with gone as (delete from log.record where topic = $1 and part = $2 and off >= $3 and off < $4 returning 1)
     select count(*) as n from gone`,
    [topic, partition, first, next],
  );
  if (gone?.n !== next - first) throw new EventLogError('log.gap', { topic, partition, first, next, found: gone?.n });
}
