import { readdir } from 'node:fs/promises';
import {
  archivable,
  archive,
  type ArchiveFile,
  archiveFiles,
  archiveName,
  type Archiving,
  EventLogError,
} from '#event-log/index.js';
import { type Installation, requireCurrent } from './open.js';

export interface Archived {
  files: ArchiveFile[];
  /** Files that no row names: of a process that was killed before it took their records from the table. */
  unnamed: string[];
}

type Limits = Pick<Archiving, 'before' | 'least'>;

/** Moves old records to files; the server may go on, and reads them from there. @throws EventLogError `archive.on-kafka` */
export async function archiveOld(installation: Installation, limits: Limits): Promise<Archived> {
  requireArchivable(installation);
  const { superuser: database, archive: folder } = installation;
  const files: ArchiveFile[] = [];
  for await (const file of archive({ database, folder, ...limits })) files.push(file);
  // Room for new records at once; what the table has taken from the disk stays its own.
  if (files.length > 0) await database.query('vacuum log.record_device');
  const named = new Set((await archiveFiles(database)).map((file) => archiveName(file)));
  return { files, unnamed: (await readdir(folder)).filter((name) => !named.has(name)) };
}

/** What `archiveOld` would move. */
export async function wouldArchive(installation: Installation, { before, least }: Limits) {
  requireArchivable(installation);
  const ranges = await archivable(installation.superuser, before);
  return ranges.filter(({ first, end }) => end > first && end - first >= least);
}

function requireArchivable(installation: Installation): void {
  requireCurrent(installation);
  if (installation.kafka !== undefined)
    throw new EventLogError(
      'archive.on-kafka',
      {},
      'Kafka keeps the facts of devices here, and all of them: what is archived is a range of the table in Postgres',
    );
}
