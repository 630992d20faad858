import {
  closeSync,
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
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { failpoint } from '#runtime/index.js';
import { HandsetError } from './errors.js';

/**
 * What the agent remembers, as named blobs. Calls are synchronous, so that nothing else happens between a fact and its
 * durability; the blobs are small, and the large ones (downloads) are appended without a flush for each piece.
 */
export interface Store {
  /** The blob as last written, or undefined. */
  read(name: string): Uint8Array | undefined;
  /** The generation before it: what to trust when the current one does not parse. */
  readPrevious(name: string): Uint8Array | undefined;
  /** Replaces the blob; durable when it returns, and never half-written, whenever the process or the power goes. */
  write(name: string, bytes: Uint8Array): void;
  /** Removes a blob and its generations; harmless when absent. */
  remove(name: string): void;
  /** Names below a folder, sorted, without generations and temporary files. */
  names(folder: string): string[];
  sizeOf(name: string): number | undefined;
  /** Opens for appending, after cutting to `keepBytes`. */
  appendTo(name: string, keepBytes?: number): Appender;
  /** Moves a finished blob; durable when it returns. */
  rename(from: string, to: string): void;
  /** A real file for the hooks, which are other programs. */
  path(name: string): string;
}

export interface Appender {
  write(bytes: Uint8Array): void;
  /** Durable when it returns. */
  sync(): void;
  close(): void;
}

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

/** Reads a JSON blob; falls back to the generation before when the current one does not parse or is not what `check` knows. */
export function readJson<T>(store: Store, name: string, check: (value: unknown) => value is T): T | undefined {
  for (const bytes of [store.read(name), store.readPrevious(name)]) {
    const value = bytes === undefined ? undefined : parseJson(bytes);
    if (check(value)) return value;
  }
  return undefined;
}

export const writeJson = (store: Store, name: string, value: unknown): void =>
  store.write(name, Buffer.from(`${JSON.stringify(value)}\n`));

/** The value, or undefined when the bytes are not JSON: the caller's check refuses both alike. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}
