import { readFileSync } from 'node:fs';
import { processLog } from '#runtime/index.js';
import { type Command, command } from '../cli/command.js';
import { offline } from './audit.js';

const backup = command({
  name: 'backup',
  summary: 'Write log, operational rows and contents of this machine to a new folder; the server may run',
  args: { folder: { help: 'an empty folder, or one to be made' } },
  examples: ['muster backup /mnt/backups/2026-11-24'],
  run: ({ folder }, { out, env }) =>
    offline(async () => {
      const [{ backup: run }, { openInstallation }] = await Promise.all([
        import('../offline/backup.js'),
        import('../offline/open.js'),
      ]);
      const installation = await openInstallation(env, processLog('muster', env));
      try {
        const { createdAt, tables, contents, kafka } = await run(installation, folder, version());
        const sum = (files: readonly { rows: number }[]) => files.reduce((all, each) => all + each.rows, 0);
        const rows = sum(tables);
        const facts = kafka && sum(kafka.facts);
        const told = facts === undefined ? '' : `, ${facts} facts of devices from Kafka`;
        out.result(
          { folder, createdAt, rows, contents: contents.length, ...(facts !== undefined && { facts }) },
          () => `${folder} holds ${rows} rows${told} and ${contents.length} contents as of ${createdAt}.`,
        );
        out.note(
          `The key-encryption key is not in it: keep ${installation.kekFile} elsewhere. Without it nothing secret or personal opens.`,
        );
      } finally {
        await installation.close();
      }
    }),
});

const restore = command({
  name: 'restore',
  summary: 'Fill an empty data folder from a backup',
  args: { folder: { help: 'what `muster backup` wrote' } },
  options: {
    kek: { type: 'string', help: "file of the backup's key-encryption key (MUSTER_KEK_FILE)", placeholder: 'file' },
  },
  examples: ['MUSTER_DATA=/srv/muster muster restore /mnt/backups/2026-11-24 --kek /mnt/safe/kek'],
  run: ({ folder, kek }, { out, env }) =>
    offline(async () => {
      const { restore: run } = await import('../offline/restore.js');
      const { manifest, data, analysts, newerFacts } = await run(folder, kek, env, processLog('muster', env));
      const { version: release, createdAt } = manifest;
      out.result(
        { data, release, createdAt, analysts, newerFacts },
        () => `${data} is as it was at ${createdAt}, release ${release}.`,
      );
      for (const [tenant, url] of Object.entries(analysts))
        out.note(`analysts of ${tenant}, shown this once: psql '${url}'`);
      if (newerFacts > 0)
        out.note(`${newerFacts} facts of devices in Kafka came after the backup: they are kept, and count.`);
      out.note('The next start migrates it and builds the read models anew; then: muster audit');
      out.note(
        `A handset that has seen a catalogue signed after ${createdAt} refuses older ones and records CatalogueRefused (tuf.rollback) until the versions have passed what it saw.`,
      );
    }),
});

function version(): string {
  const manifest = new URL('../../../../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}

export const backupCommands: readonly Command[] = [backup, restore];
