import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { DomainError } from '#runtime/index.js';

/** The data folder cannot be had. Two processes on one would stop each other's database. */
export class DataFolderError extends DomainError<'data.in-use' | 'data.half-restored'> {}

/** Stands in the folder for as long as a restore fills it. */
export const RESTORING = 'restore.unfinished';

/** Files with old records of the log. */
export const archiveFolder = (data: string): string => path.join(data, 'archive');

interface Holder {
  pid: number;
  /** When that process began, as the system writes it: a pid alone may have been given to another by now. */
  began: string;
}

/**
 * Makes the folder (0700) and takes it for this process. What a killed process left is taken over.
 * @returns gives it back
 * @throws DataFolderError `data.in-use`, `data.half-restored`
 */
export function takeDataFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  if (existsSync(path.join(folder, RESTORING)))
    throw new DataFolderError(
      'data.half-restored',
      { folder },
      `${folder} is of a restore that was cut off: delete it and restore again`,
    );
  const file = path.join(folder, 'muster.pid');
  const mine = JSON.stringify({ pid: process.pid, began: beganAt(process.pid) ?? '' } satisfies Holder);
  for (let attempt = 0; ; attempt += 1) {
    try {
      writeFileSync(file, mine, { flag: 'wx', mode: 0o600 });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 3) throw error;
    }
    const holder = holderIn(file);
    if (holder !== undefined && beganAt(holder.pid) === holder.began)
      throw new DataFolderError(
        'data.in-use',
        { folder, pid: holder.pid },
        `${folder} is in use by process ${holder.pid}`,
      );
    rmSync(file, { force: true });
  }
}

/** The process that holds the folder now, if there is one. */
export function holderOf(folder: string): number | undefined {
  const holder = holderIn(path.join(folder, 'muster.pid'));
  return holder !== undefined && beganAt(holder.pid) === holder.began ? holder.pid : undefined;
}

function holderIn(file: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder;
  } catch {
    return undefined; // none, or half-written by a process that was killed
  }
}

/** @returns undefined when there is no such process */
function beganAt(pid: number): string | undefined {
  try {
    if (process.platform !== 'linux')
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    // Field 22, counted after the command in brackets, which may hold spaces (proc(5)).
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
