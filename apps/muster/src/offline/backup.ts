import path from 'node:path';
import { dumpTable, type Tx, tablesIn } from '#event-log/index.js';
import {
  BackupError,
  contentFile,
  copyContent,
  type Manifest,
  makeBackupFolder,
  tableFile,
  writeManifest,
  writeTable,
} from './backup-folder.js';
import type { Installation } from './open.js';

/**
 * Not backed up: TypeORM's list (the manifest has it), uploads under way, and logins of analysts, whose roles are the
 * cluster's. What is read is rebuilt from the log.
 */
const LEFT_OUT = new Set(['ops.migration', 'ops.upload', 'ops.analyst']);

/**
 * Log and operational rows of one moment, and the bytes of every content that they name; the server may go on. The
 * key-encryption key is not in it, and without it nothing secret or personal in it opens.
 */
export async function backup(installation: Installation, folder: string, version: string): Promise<Manifest> {
  const { data, kekFile, superuser, migrated } = installation;
  for (const taken of [data, path.dirname(kekFile)])
    if (isWithin(folder, taken))
      throw new BackupError('backup.kek-inside', { folder }, `${folder} must lie outside ${taken}`);
  await makeBackupFolder(folder);
  const saved = await superuser.transaction(async (tx) => {
    await tx.query('set transaction isolation level repeatable read, read only');
    const [now] = await tx.query<{ at: Date }>('select now() as at');
    const tables: Manifest['tables'][number][] = [];
    for (const shape of await tablesIn(tx, ['log', 'ops']))
      if (!LEFT_OUT.has(shape.table))
        tables.push({ ...shape, ...(await writeTable(tableFile(folder, shape.table), dumpTable(tx, shape))) });
    const analysts = await tx.query<{ tenant: string }>('select tenant from ops.analyst order by tenant');
    return {
      createdAt: now!.at.toISOString(),
      tables,
      contents: await publishedContents(tx),
      analysts: analysts.map(({ tenant }) => tenant),
    };
  });
  // After the snapshot: a content's bytes are there before the event that publishes it, and never change.
  for (const { sha256 } of saved.contents)
    await copyContent(path.join(data, 'contents', sha256.slice(0, 2), sha256), contentFile(folder, sha256), sha256);
  const manifest: Manifest = { format: 1, version, migrations: migrated, ...saved };
  await writeManifest(folder, manifest);
  return manifest;
}

async function publishedContents(tx: Tx): Promise<Manifest['contents']> {
  return tx.query<Manifest['contents'][number]>(
    `select distinct data->>'sha256' as sha256, (data->>'sizeBytes')::bigint as "sizeBytes" from log.record
     where topic = 'muster.content' and type like 'muster.content.content-published.%' order by 1`,
  );
}

function isWithin(folder: string, parent: string): boolean {
  const relative = path.relative(parent, path.resolve(folder));
  return relative === '' || !(relative.startsWith('..') || path.isAbsolute(relative));
}
