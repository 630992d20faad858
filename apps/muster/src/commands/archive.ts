import { processClock, processLog } from '#runtime/index.js';
import { command, type Command, type Context } from '../cli/command.js';
import { usage } from '../cli/exit-codes.js';
import type { archiveOld, wouldArchive } from '../offline/archive.js';
import { offline } from './audit.js';

const archive = command({
  name: 'archive',
  summary:
    'Move old facts of devices from the database to files, which every reader of the log reads; the server may run',
  options: {
    before: { type: 'string', default: '90d', help: 'received before this age or instant', placeholder: 'age|instant' },
    least: { type: 'number', default: 10_000, help: 'leave a partition that has fewer such records', placeholder: 'n' },
    dryRun: { type: 'boolean', help: 'tell what would go, and move nothing' },
  },
  examples: [
    'muster archive --dry-run',
    'muster archive --before 180d',
    'muster archive --before 2026-08-01T00:00:00Z',
  ],
  run: ({ before, least, dryRun }, { out, env }) => {
    const limits = { before: instantOf(before, env), least };
    return offline(async () => {
      const [offlineArchive, { openInstallation }] = await Promise.all([
        import('../offline/archive.js'),
        import('../offline/open.js'),
      ]);
      const installation = await openInstallation(env, processLog('muster', env));
      try {
        if (dryRun) showRanges(await offlineArchive.wouldArchive(installation, limits), limits, out);
        else showFiles(await offlineArchive.archiveOld(installation, limits), limits, out);
      } finally {
        await installation.close();
      }
    });
  },
});

type Shown = Awaited<ReturnType<typeof archiveOld>>;
type Ranges = Awaited<ReturnType<typeof wouldArchive>>;

function showFiles({ files, unnamed }: Shown, limits: object, out: Context['out']): void {
  const lines = files.map(({ partition, first, next, bytes }) => ({ partition, first, next, bytes }));
  const columns = {
    partition: ({ partition }: (typeof lines)[number]) => String(partition),
    records: ({ first, next }: (typeof lines)[number]) => `${first} to ${next - 1}`,
    bytes: ({ bytes }: (typeof lines)[number]) => String(bytes),
  };
  const records = lines.reduce((sum, { first, next }) => sum + next - first, 0);
  const bytes = lines.reduce((sum, each) => sum + each.bytes, 0);
  if (out.json || lines.length > 0) out.table(lines, columns, { ...limits, records, bytes, files: lines, unnamed });
  out.note(`${records} records moved to ${files.length} files of ${bytes} bytes; a backup from now on has them`);
  for (const name of unnamed)
    out.note(`archive/${name} is in no row of this database: of a run that was cut off, or of another database`);
}

function showRanges(ranges: Ranges, limits: object, out: Context['out']): void {
  const columns = {
    partition: ({ partition }: Ranges[number]) => String(partition),
    records: ({ first, end }: Ranges[number]) => `${first} to ${end - 1}`,
  };
  const records = ranges.reduce((sum, { first, end }) => sum + end - first, 0);
  if (out.json || ranges.length > 0) out.table(ranges, columns, { ...limits, records, ranges });
  out.note(`${records} records would be moved`);
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** @throws CliError for what is neither, and for a moment that is not past */
function instantOf(text: string, env: NodeJS.ProcessEnv): string {
  const now = processClock(env).now();
  const age = /^(\d{1,6})([smhd])$/.exec(text);
  const ms = age === null ? instantIn(text) : now - Number(age[1]) * UNITS[age[2]!]!;
  if (Number.isNaN(ms)) throw usage(`--before ${text} is no age (90d, 12h) and no RFC 3339 instant`);
  if (ms > now) throw usage(`--before ${text} is not past`);
  return new Date(ms).toISOString();
}

const instantIn = (text: string): number => (/^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN);

export const archiveCommands: readonly Command[] = [archive];
