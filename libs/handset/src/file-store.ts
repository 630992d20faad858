import {
  closeSync,
  createReadStream,
  existsSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { failpoint } from '#runtime/index.js';
import { HandsetError } from './errors.js';
import { type Appender, type Store } from './store.js';

const PREVIOUS = '.last';
const TEMPORARY = '.tmp';
// role names reach this as percent-encoded text, so a segment is anything but a way out of the folder
const SEGMENT = /^(?!\.{1,2}$)[^/\\\0]{1,200}$/;

/**
 * The store in a folder, 0700, files 0600: temporary file, fsync, rename, fsync of the folder; the generation before is
 * kept beside as a hard link, so at every step either the old or the new content stands under the name.
 * @param onStep called before each change of the disk, so that a test can end the process there
 */
export function fileStore(root: string, onStep: (step: string) => void = () => failpoint('store.step')): Store {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const path = (name: string): string => {
    if (!name.split('/').every((segment) => SEGMENT.test(segment))) throw new HandsetError('store.name', { name });
    return join(root, name);
  };
  const readOrNothing = (file: string): Uint8Array | undefined => (existsSync(file) ? readFileSync(file) : undefined);
  return {
    path,
    read: (name) => readOrNothing(path(name)),
    readPrevious: (name) => readOrNothing(path(name) + PREVIOUS),
    sizeOf: (name) => (existsSync(path(name)) ? statSync(path(name)).size : undefined),
    write: (name, bytes) => replaceFile(path(name), bytes, onStep),
    remove: (name) => {
      onStep('remove');
      for (const suffix of ['', PREVIOUS, TEMPORARY]) rmSync(path(name) + suffix, { force: true });
      syncFolderOf(path(name));
    },
    names: (folder) => (existsSync(path(folder)) ? readdirSync(path(folder)).filter(isBlob).sort() : []),
    chunks: (name) => createReadStream(path(name)) as AsyncIterable<Uint8Array>,
    freeBytes: () => freeBytesAt(root),
    appendTo: (name, keepBytes) => appender(path(name), keepBytes, onStep),
    rename: (from, to) => {
      mkdirSync(dirname(path(to)), { recursive: true, mode: 0o700 });
      onStep('move');
      renameSync(path(from), path(to));
      onStep('moved');
      syncFolderOf(path(to));
      syncFolderOf(path(from));
    },
  };
}

const isBlob = (name: string): boolean => !name.endsWith(PREVIOUS) && !name.endsWith(TEMPORARY);

function replaceFile(file: string, bytes: Uint8Array, onStep: (step: string) => void): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = file + TEMPORARY;
  onStep('open');
  const handle = openSync(temporary, 'w', 0o600);
  try {
    onStep('write');
    writeFully(handle, bytes);
    onStep('fsync');
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  if (existsSync(file)) {
    onStep('unlink-previous');
    rmSync(file + PREVIOUS, { force: true });
    onStep('link-previous');
    linkSync(file, file + PREVIOUS);
  }
  onStep('rename');
  renameSync(temporary, file);
  onStep('fsync-folder');
  syncFolderOf(file);
}

/** A rename is on the disk only when its folder is (fsync(2): "does not necessarily ensure that the entry in the directory … has reached disk"). */
function syncFolderOf(file: string): void {
  if (!existsSync(dirname(file))) return;
  const handle = openSync(dirname(file), 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function writeFully(handle: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(handle, bytes, done);
}

function appender(file: string, keepBytes: number | undefined, onStep: (step: string) => void): Appender {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const isNew = !existsSync(file);
  const handle = openSync(file, isNew ? 'w' : 'r+', 0o600);
  let at = isNew ? 0 : Math.min(keepBytes ?? Number.MAX_SAFE_INTEGER, statSync(file).size);
  if (!isNew) ftruncateSync(handle, at);
  if (isNew) syncFolderOf(file);
  return {
    write: (bytes) => {
      onStep('append');
      for (let done = 0; done < bytes.length; ) done += writeSync(handle, bytes, done, bytes.length - done, at + done);
      at += bytes.length;
    },
    sync: () => {
      onStep('append-fsync');
      fsyncSync(handle);
    },
    close: () => closeSync(handle),
  };
}

function freeBytesAt(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}
