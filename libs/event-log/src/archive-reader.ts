import { open, stat } from 'node:fs/promises';
import path from 'node:path';
import { Recent } from '#runtime/index.js';
import { recordsIn, sha256Of, unpackLines } from './archive-format.js';
import type { Tx } from './database.js';
import type { RawRecord } from './envelope.js';
import { EventLogError, type Topic } from './event-log.js';

/** A gzip member of a file: its place there, its digest, and the records in it (none in the header). */
export interface Block {
  first: number;
  count: number;
  at: number;
  bytes: number;
  sha256: string;
}

/** A row of `log.archive`: never changed, and its records are nowhere else. */
export interface ArchiveFile {
  topic: Topic;
  partition: number;
  /** Offset of its first record, and the one after its last. */
  first: number;
  next: number;
  bytes: number;
  sha256: string;
  blocks: readonly Block[];
}

/** The only topic whose records may be in files; all others are decided by, and read by stream. */
export const ARCHIVED: Topic = 'muster.device';

/** Never the name of two contents, so that no file takes another's place. */
export const archiveName = ({ topic, partition, first, sha256 }: Omit<ArchiveFile, 'blocks' | 'next' | 'bytes'>) =>
  `${topic}-${String(partition).padStart(2, '0')}-${String(first).padStart(12, '0')}-${sha256.slice(0, 16)}.ndjson.gz`;

interface Row {
  topic: Topic;
  part: number;
  first_off: number;
  next_off: number;
  bytes: number;
  sha256: string;
  blocks: [count: number, bytes: number, sha256: string][];
}
const ROW = `topic, part, first_off, next_off, bytes, encode(sha256, 'hex') as sha256, blocks`;

/** Rows and blocks kept in memory, at most: half of the blocks are enough for a reader in each partition. */
const KEPT_FILES = 24;
const KEPT_BLOCKS = 24;

/** Reads archived records, checking every byte by the digests that the database holds. */
export class ArchiveReader {
  private readonly files: ArchiveFile[] = [];
  private readonly blocks = new Recent<string, readonly string[]>(KEPT_BLOCKS);

  /** @param folder  absent: nothing archived can be read here, and who comes to it is told so */
  constructor(private readonly folder?: string) {}

  /** The file that holds this record, if it was found before. */
  known(topic: Topic, partition: number, offset: number): ArchiveFile | undefined {
    return this.files.find((file) => isIn(file, topic, partition, offset));
  }

  /** The file that holds this record. */
  async find(db: Tx, topic: Topic, partition: number, offset: number): Promise<ArchiveFile | undefined> {
    const known = this.known(topic, partition, offset);
    if (known !== undefined) return known;
    const [row] = await db.query<Row>(
      `select ${ROW} from log.archive where topic = $1 and part = $2 and first_off <= $3 and next_off > $3`,
      [topic, partition, offset],
    );
    if (row === undefined) return undefined;
    const file = fileOf(row);
    this.files.unshift(file);
    this.files.splice(KEPT_FILES);
    return file;
  }

  /**
   * Records of a file from an offset on, at most `limit`; with a tenant, its own alone.
   * @throws EventLogError `archive.missing`, `archive.damaged`
   */
  async read(file: ArchiveFile, from: number, limit: number, tenant?: string): Promise<RawRecord[]> {
    const found: RawRecord[] = [];
    for (const block of file.blocks) {
      if (block.first + block.count <= from) continue;
      const lines = await this.linesOf(file, block);
      const there = lines.slice(Math.max(0, from - block.first));
      found.push(...recordsIn(there, { limit: limit - found.length, tenant }));
      if (found.length === limit) break;
    }
    return found;
  }

  /** The whole file, a block at a time. @throws EventLogError `archive.missing`, `archive.damaged` */
  async *pages(file: ArchiveFile): AsyncGenerator<RawRecord[]> {
    await this.requireLength(file);
    for (const block of file.blocks) {
      const lines = await this.linesOf(file, block);
      if (block.count > 0) yield recordsIn(lines);
    }
  }

  /** Every file is there, in its length: what a start can ask without reading all. @throws EventLogError `archive.missing`, `archive.damaged` */
  async requireFiles(db: Tx): Promise<void> {
    for (const file of await archiveFiles(db)) await this.requireLength(file);
  }

  private async requireLength(file: ArchiveFile): Promise<void> {
    const found = await stat(this.pathOf(file)).catch((error: NodeJS.ErrnoException) => {
      throw unread('archive.missing', file, error.code);
    });
    if (found.size !== file.bytes) throw unread('archive.damaged', file, `${found.size} bytes, not ${file.bytes}`);
  }

  private async linesOf(file: ArchiveFile, block: Block): Promise<readonly string[]> {
    const key = `${archiveName(file)} ${block.at}`;
    const known = this.blocks.get(key);
    if (known !== undefined) return known;
    const lines = await unpackLines(await this.bytesOf(file, block));
    if (block.count > 0 && lines.length !== block.count)
      throw unread('archive.damaged', file, `${lines.length} records, not ${block.count}`);
    this.blocks.set(key, lines);
    return lines;
  }

  private async bytesOf(file: ArchiveFile, { at, bytes, sha256 }: Block): Promise<Buffer> {
    const handle = await open(this.pathOf(file)).catch((error: NodeJS.ErrnoException) => {
      throw unread('archive.missing', file, error.code);
    });
    try {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(bytes), 0, bytes, at);
      if (bytesRead === bytes && sha256Of(buffer) === sha256) return buffer;
    } catch (error) {
      throw unread('archive.damaged', file, (error as NodeJS.ErrnoException).code);
    } finally {
      await handle.close();
    }
    throw unread('archive.damaged', file, `bytes ${at} to ${at + bytes - 1} are not what was written`);
  }

  private pathOf(file: ArchiveFile): string {
    if (this.folder === undefined) throw unread('archive.missing', file, 'this process has no archive folder');
    return path.join(this.folder, archiveName(file));
  }
}

/** All files, by partition and offset. */
export async function archiveFiles(db: Tx): Promise<ArchiveFile[]> {
  return (await db.query<Row>(`select ${ROW} from log.archive order by topic, part, first_off`)).map(fileOf);
}

export interface Wanted {
  topic: Topic;
  partition: number;
  from: number;
  limit: number;
  /** All, when absent. */
  tenant?: string;
}

/**
 * Records of one partition, wherever they are, gapless. The table is asked before `log.archive`: a range leaves the one in the
 * transaction that puts it into the other, so what the table has no more is in a file by the time that we look.
 * @throws EventLogError `archive.missing`, `archive.damaged`
 */
export async function readAcross<R>(
  { archive, db, table }: { archive: ArchiveReader; db: Tx; table: (from: number, limit: number) => Promise<R[]> },
  { topic, partition, from, limit, tenant }: Wanted,
): Promise<(R | RawRecord)[]> {
  const found: (R | RawRecord)[] = [];
  let file = archive.known(topic, partition, from);
  for (let next = from; ; ) {
    while (file !== undefined) {
      found.push(...(await archive.read(file, next, limit - found.length, tenant)));
      if (found.length >= limit) return found;
      next = file.next;
      file = await archive.find(db, topic, partition, next);
    }
    const rows = await table(next, limit - found.length);
    const isWhole = tenant === undefined && (rows[0] as { off?: number } | undefined)?.off === next;
    file = isWhole ? undefined : await archive.find(db, topic, partition, next);
    if (file === undefined) return [...found, ...rows];
  }
}

const isIn = (file: ArchiveFile, topic: Topic, partition: number, offset: number): boolean =>
  file.topic === topic && file.partition === partition && file.first <= offset && offset < file.next;

function fileOf({ topic, part, first_off, next_off, bytes, sha256, blocks }: Row): ArchiveFile {
  let [first, at] = [first_off, 0];
  const placed = blocks.map(([count, length, digest]) => {
    const block = { first, count, at, bytes: length, sha256: digest };
    first += count;
    at += length;
    return block;
  });
  return { topic, partition: part, first: first_off, next: next_off, bytes, sha256, blocks: placed };
}

function unread(code: 'archive.missing' | 'archive.damaged', file: ArchiveFile, cause = 'unknown'): EventLogError {
  const name = archiveName(file);
  const { topic, partition, first, next } = file;
  const what = code === 'archive.missing' ? 'cannot be opened' : 'is not what was archived';
  const place = `${topic}/${partition}, records ${first} to ${next - 1}`;
  return new EventLogError(
    code,
    { file: name, topic, partition, first, next, cause },
    `archive file ${name} (${place}) ${what}: ${cause}`,
  );
}
