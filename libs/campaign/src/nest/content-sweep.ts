import { link, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';

/** Bytes that came so long ago and are in no event will not be: who publishes has long given up. */
export const UNTOUCHED_MS = 7 * 86_400_000;
/** Then they stand aside, to be put back should an event name them after all. */
export const ASIDE_MS = 86_400_000;
/** `contents/<first two digits>/<sha-256>.unreferenced` */
const ASIDE = '.unreferenced';

export interface ContentSweep {
  /** Folder of contents. */
  root: string;
  /** By the machine's time, which is what files carry. */
  now: number;
  /** Digests that any tenant's log names, as committed when asked. */
  referenced: () => Promise<ReadonlySet<string>>;
}

export interface Swept {
  /** Digests. */
  putAside: string[];
  putBack: string[];
  /** File names. */
  removed: string[];
}

interface Found {
  file: string;
  name: string;
  /** Since the inode was last changed: written, linked, or renamed. */
  untouchedMs: number;
}

/**
 * Takes away the bytes of contents that no event names: a publication was cut off between bytes and event. What looks
 * unreferenced is put aside, and the log is asked once more: an event committed meanwhile was either seen then, and the
 * bytes are put back, or comes after, and whoever publishes looks for the bytes behind the commit (`FileStore.keep`), and
 * puts them there again. A publisher that died in between is made good by the next sweep, before anything is deleted.
 */
export async function sweepContents({ root, now, referenced }: ContentSweep): Promise<Swept> {
  const found = await filesBelow(root, now);
  const of = (isOne: (name: string) => boolean) => found.filter(({ name }) => isOne(name));
  const swept: Swept = { putAside: [], putBack: [], removed: [] };
  const before = await referenced();
  for (const each of of(isAside)) {
    if (before.has(digestIn(each))) await putBack(each, swept);
    else if (each.untouchedMs > ASIDE_MS) await remove(each, swept);
  }
  for (const each of of(isCutOff)) if (each.untouchedMs > UNTOUCHED_MS) await remove(each, swept);
  const moved: Found[] = [];
  for (const each of of(isContent))
    if (each.untouchedMs > UNTOUCHED_MS && !before.has(each.name)) moved.push(...(await putAside(each, swept)));
  if (moved.length === 0) return swept;
  const after = await referenced();
  for (const each of moved) if (after.has(digestIn(each))) await putBack(each, swept);
  return swept;
}

const isContent = (name: string): boolean => /^[0-9a-f]{64}$/.test(name);
const isAside = (name: string): boolean => name.endsWith(ASIDE) && isContent(name.slice(0, -ASIDE.length));
/** A temporary name of `FileStore.adopt`. */
const isCutOff = (name: string): boolean => /^[0-9a-f]{64}\.[0-9a-f-]{36}$/.test(name);
const digestIn = ({ name }: Found): string => name.slice(0, 64);

async function filesBelow(root: string, now: number): Promise<Found[]> {
  const found: Found[] = [];
  for (const folder of await namesIn(root))
    for (const name of await namesIn(path.join(root, folder))) {
      const file = path.join(root, folder, name);
      const changed = (await stat(file).catch(() => undefined))?.ctimeMs; // gone meanwhile
      if (changed !== undefined) found.push({ file, name, untouchedMs: now - changed });
    }
  return found;
}

/** None where there is no such folder: it is made with its first file. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}

async function putAside(each: Found, swept: Swept): Promise<Found[]> {
  const file = `${each.file}${ASIDE}`;
  if (!(await unlessGone(rename(each.file, file)))) return []; // another instance was faster
  swept.putAside.push(each.name);
  return [{ file, name: `${each.name}${ASIDE}`, untouchedMs: 0 }];
}

/** A file that is there again by now has the same bytes. */
async function putBack(each: Found, swept: Swept): Promise<void> {
  const target = each.file.slice(0, -ASIDE.length);
  const isBack = await unlessGone(link(each.file, target)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
    return true;
  });
  await rm(each.file, { force: true });
  if (isBack) swept.putBack.push(digestIn(each));
}

async function remove(each: Found, swept: Swept): Promise<void> {
  await rm(each.file, { force: true });
  swept.removed.push(each.name);
}

async function unlessGone(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
