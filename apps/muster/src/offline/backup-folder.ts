import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, open, readdir, readFile, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Position, TableShape, TextRow } from '#event-log/index.js';
import { DomainError, flush } from '#runtime/index.js';

/** A backup cannot be written, or not be used. Details name the file or the row at fault. */
export class BackupError extends DomainError<
  | 'backup.not-empty'
  | 'backup.unknown'
  | 'backup.damaged'
  | 'backup.kek-inside'
  | 'restore.not-empty'
  | 'restore.kek-missing'
  | 'restore.kek-wrong'
  | 'restore.kept-on-postgres'
> {}

/** What the folder holds; written last, so that a backup without it is none. */
export interface Manifest {
  /** 2: with facts from Kafka, which a release that knows only 1 must not leave out. */
  format: 1 | 2;
  /** Release that wrote it. */
  version: string;
  /** Moment of the snapshot, by the database's clock. */
  createdAt: string;
  /** Migrations that had been done, in order. */
  migrations: readonly string[];
  /** Each in `tables/<schema>.<table>.ndjson`: a row a line, a list of texts in the order of the columns. */
  tables: readonly (TableShape & { rows: number; sha256: string })[];
  /** sha-256 of each content, in `contents/<sha-256>`. */
  contents: readonly { sha256: string; sizeBytes: number }[];
  /** Old records of the log, in `archive/<file>`; absent before there were such files. */
  archives?: readonly { file: string; bytes: number; sha256: string }[];
  /** Tenants whose analysts had a login; its password is Postgres' own, and is made anew. */
  analysts: readonly string[];
  /** Where Kafka carries the log; then `log.record` has no facts of devices. */
  kafka?: {
    /** Of every partition of every topic, as of the snapshot; of `muster.device` Kafka's, a moment later. */
    ends: Position;
    /** Each partition of `muster.device` that has any, in `facts/<partition>.ndjson`: see `dumpFacts`. */
    facts: readonly { partition: number; rows: number; sha256: string }[];
  };
}

const MANIFEST = 'manifest.json';
const PARTS = ['tables', 'facts', 'contents', 'archive'];
const DIGEST = /^[0-9a-f]{64}$/;
const ARCHIVE = /^muster\.[a-z]+-\d\d-\d+-[0-9a-f]{16}\.ndjson\.gz$/;
const TABLE = /^(log|ops)\.[a-z_]+$/;

export const tableFile = (folder: string, table: string): string => path.join(folder, 'tables', `${table}.ndjson`);
export const factFile = (folder: string, partition: number): string =>
  path.join(folder, 'facts', `${partition}.ndjson`);
export const contentFile = (folder: string, sha256: string): string => path.join(folder, 'contents', sha256);
export const archiveFile = (folder: string, file: string): string => path.join(folder, 'archive', file);

/** Makes the folder, which must be empty. @throws BackupError `backup.not-empty` */
export async function makeBackupFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if ((await readdir(folder)).length > 0)
    throw new BackupError('backup.not-empty', { folder }, `${folder} is not empty`);
  for (const part of PARTS) await mkdir(path.join(folder, part), { mode: 0o700 });
}

/** Writes rows as they come, flushed. */
export async function writeTable(
  file: string,
  pages: AsyncIterable<TextRow[]>,
): Promise<{ rows: number; sha256: string }> {
  const hash = createHash('sha256');
  const handle = await open(file, 'wx', 0o600);
  let rows = 0;
  try {
    for await (const page of pages) {
      const text = page.map((row) => `${JSON.stringify(row)}\n`).join('');
      hash.update(text);
      rows += page.length;
      await handle.write(text);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { rows, sha256: hash.digest('hex') };
}

export async function* readTable(file: string, pageRows = 500): AsyncGenerator<TextRow[]> {
  let page: TextRow[] = [];
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    page.push(JSON.parse(line) as TextRow);
    if (page.length < pageRows) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}

export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  const file = path.join(folder, MANIFEST);
  for (const part of PARTS) await flush(path.join(folder, part));
  const handle = await open(`${file}.new`, 'wx', 0o600);
  try {
    await handle.write(`${JSON.stringify(manifest, null, 1)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.new`, file);
  await flush(folder);
}

/** Every file of it is there, as it was written. @throws BackupError `backup.unknown`, `backup.damaged` */
export async function readManifest(folder: string): Promise<Manifest> {
  const text = await readFile(path.join(folder, MANIFEST), 'utf8').catch(() => undefined);
  if (text === undefined) throw new BackupError('backup.unknown', { folder }, `${folder} holds no finished backup`);
  const manifest = parse(text, folder);
  for (const { table, sha256 } of manifest.tables) await requireDigest(tableFile(folder, table), sha256);
  for (const { partition, sha256 } of manifest.kafka?.facts ?? [])
    await requireDigest(factFile(folder, partition), sha256);
  for (const { file, sha256 } of manifest.archives ?? []) await requireDigest(archiveFile(folder, file), sha256);
  for (const { sha256 } of manifest.contents) await requireDigest(contentFile(folder, sha256), sha256);
  return manifest;
}

/** Names become paths and SQL, so only those that a backup of ours can have are taken. */
function parse(text: string, folder: string): Manifest {
  const damaged = new BackupError('backup.damaged', { file: MANIFEST }, `${folder}: ${MANIFEST} is not one of ours`);
  try {
    const manifest = JSON.parse(text) as Manifest;
    const isOurs =
      manifest.format === (manifest.kafka === undefined ? 1 : 2) &&
      manifest.tables.every(
        ({ table, columns, sha256 }) => TABLE.test(table) && DIGEST.test(sha256) && columns.every(isColumn),
      ) &&
      manifest.contents.every(({ sha256 }) => DIGEST.test(sha256)) &&
      (manifest.archives ?? []).every(({ file, sha256 }) => ARCHIVE.test(file) && DIGEST.test(sha256)) &&
      (manifest.kafka === undefined || isKafka(manifest.kafka)) &&
      [...manifest.migrations, ...manifest.analysts].every((each) => typeof each === 'string');
    if (isOurs) return manifest;
  } catch {
    throw damaged;
  }
  throw damaged;
}

const isColumn = ({ name, type }: { name: string; type: string }): boolean =>
  /^[a-z_0-9]+$/.test(name) && /^[a-z_ 0-9()[\]]+$/.test(type);

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;

const isKafka = ({ ends, facts }: NonNullable<Manifest['kafka']>): boolean =>
  Object.values(ends).every(isCount) &&
  facts.every(({ partition, rows, sha256 }) => isCount(partition) && isCount(rows) && DIGEST.test(sha256));

async function requireDigest(file: string, sha256: string): Promise<void> {
  const found = await digestOf(file);
  if (found !== sha256) throw new BackupError('backup.damaged', { file }, `${file} is not what was backed up`);
}

/** @returns undefined when there is no such file */
export async function digestOf(file: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  if ((await stat(file).catch(() => undefined)) === undefined) return undefined;
  for await (const chunk of createReadStream(file, { highWaterMark: 1_048_576 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Whole, flushed and of this digest. @throws BackupError `backup.damaged` */
export async function copyContent(from: string, to: string, sha256: string): Promise<void> {
  await mkdir(path.dirname(to), { recursive: true, mode: 0o700 });
  await copyFile(from, to);
  await flush(to);
  await requireDigest(to, sha256);
}
