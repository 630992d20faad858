import path from 'node:path';
import {
  archiveFiles,
  archiveName,
  ArchiveReader,
  dumpTable,
  type KafkaSide,
  type Position,
  type Tx,
  tablesIn,
} from '#event-log/index.js';
import {
  archiveFile,
  BackupError,
  contentFile,
  copyContent,
  type Manifest,
  makeBackupFolder,
  tableFile,
  writeManifest,
  writeTable,
} from './backup-folder.js';
import { FACTS, saveFacts } from './kafka-backup.js';
import type { Installation } from './open.js';

/**
 * Not backed up: TypeORM's list (the manifest has it), uploads under way, and logins of analysts, whose roles are the
 * cluster's. What is read is rebuilt from the log.
 */
const LEFT_OUT = new Set(['ops.migration', 'ops.upload', 'ops.analyst']);

/**
 * Log and operational rows of one moment, and the bytes of every content that they name; the server may go on. Where Kafka
 * carries the log, also every fact of `muster.device` that was acknowledged before, which is nowhere else. The key-encryption key is not in it, and without it nothing secret or personal in it opens.
 */
export async function backup(installation: Installation, folder: string, version: string): Promise<Manifest> {
  const { data, archive, kekFile, superuser, kafka, migrated } = installation;
  for (const taken of [data, path.dirname(kekFile)])
    if (isWithin(folder, taken))
      throw new BackupError('backup.kek-inside', { folder }, `${folder} must lie outside ${taken}`);
  await makeBackupFolder(folder);
  const { ends, ...saved } = await superuser.transaction(async (tx) => {
    await tx.query('set transaction isolation level repeatable read, read only');
    const [now] = await tx.query<{ at: Date }>('select now() as at');
    const ends = kafka && (await endsOf(tx, kafka)); // after the snapshot is taken: no row is ahead of the facts
    const tables: Manifest['tables'][number][] = [];
    for (const shape of await tablesIn(tx, ['log', 'ops']))
      if (!LEFT_OUT.has(shape.table))
        tables.push({ ...shape, ...(await writeTable(tableFile(folder, shape.table), dumpTable(tx, shape))) });
    const analysts = await tx.query<{ tenant: string }>('select tenant from ops.analyst order by tenant');
    return {
      createdAt: now!.at.toISOString(),
      ends,
      tables,
      contents: await publishedContents(tx),
      ...(tables.some(({ table }) => table === 'log.archive') && { archives: await archivesOf(tx) }),
      analysts: analysts.map(({ tenant }) => tenant),
    };
  });
  // After the snapshot: the bytes of a content or an archive file are there before what names them, and never change.
  for (const { sha256 } of saved.contents)
    await copyContent(path.join(data, 'contents', sha256.slice(0, 2), sha256), contentFile(folder, sha256), sha256);
  if (saved.archives !== undefined) await new ArchiveReader(archive).requireFiles(superuser);
  for (const { file, sha256 } of saved.archives ?? [])
    await copyContent(path.join(archive, file), archiveFile(folder, file), sha256);
  const inKafka = kafka && ends && { kafka: { ends, facts: await saveFacts(folder, kafka, ends) } };
  const format = inKafka === undefined ? 1 : 2;
  const manifest: Manifest = { format, version, migrations: migrated, ...saved, ...inKafka };
  await writeManifest(folder, manifest);
  return manifest;
}

async function archivesOf(tx: Tx): Promise<NonNullable<Manifest['archives']>> {
  const files = await archiveFiles(tx);
  return files.map((each) => ({ file: archiveName(each), bytes: each.bytes, sha256: each.sha256 }));
}

async function publishedContents(tx: Tx): Promise<Manifest['contents']> {
  return tx.query<Manifest['contents'][number]>(
    `select distinct data->>'sha256' as sha256, (data->>'sizeBytes')::bigint as "sizeBytes" from log.record
     where topic = 'muster.content' and type like 'muster.content.content-published.%' order by 1`,
  );
}

/** Next offsets: of what is stored as the transaction sees it, of facts of devices as Kafka has them now. */
async function endsOf(tx: Tx, kafka: KafkaSide): Promise<Position> {
  const heads = await tx.query<{ place: string; next_off: number }>(
    "select topic || '/' || part as place, next_off from log.head where next_off > 0 order by topic, part",
  );
  const facts = await kafka.reader.heads([FACTS]);
  return { ...Object.fromEntries(heads.map(({ place, next_off }) => [place, next_off])), ...facts };
}

function isWithin(folder: string, parent: string): boolean {
  const relative = path.relative(parent, path.resolve(folder));
  return relative === '' || !(relative.startsWith('..') || path.isAbsolute(relative));
}
