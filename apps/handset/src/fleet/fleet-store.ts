import { createHash } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { type Appender, HandsetError, type Store } from '#handset/index.js';

/**
 * Bytes that many handsets have alike, kept once: metadata of the channel, its documents, descriptions. What nobody holds any
 * more goes by itself.
 */
export class SharedBytes {
  private readonly kept = new Map<string, WeakRef<Uint8Array>>();
  private readonly gone = new FinalizationRegistry<string>((digest) => {
    if (this.kept.get(digest)?.deref() === undefined) this.kept.delete(digest);
  });

  of(bytes: Uint8Array): Uint8Array {
    const digest = createHash('sha256').update(bytes).digest('base64');
    const known = this.kept.get(digest)?.deref();
    if (known !== undefined) return known;
    const own = new Uint8Array(bytes);
    this.kept.set(digest, new WeakRef(own));
    this.gone.register(own, digest);
    return own;
  }
}

/** Large, and read by path: on the disk, parts apart and finished contents once for the whole fleet. */
const ON_DISK = /^(partial|contents)\/[^./]+$/;
const ALIKE = /^(tuf|documents|contents)\/|^rules\.json$/;

/**
 * The store of one handset of a fleet: small blobs in memory, the bytes of contents on the disk. A file store flushes some twenty
 * times a poll, which would hold up all the others of the process; what a handset of a fleet must survive is its own
 * going away, not the process's.
 */
export function fleetStore(folder: string, name: string, shared: SharedBytes): Store {
  mkdirSync(join(folder, 'contents'), { recursive: true, mode: 0o700 });
  mkdirSync(join(folder, 'partial'), { recursive: true, mode: 0o700 });
  const blobs = new Map<string, Uint8Array>();
  const sizes = new Map<string, number>();
  const path = (blob: string): string => join(folder, blob.startsWith('partial/') ? `${blob}-${name}` : blob);
  const read = (blob: string): Uint8Array | undefined => {
    if (!ON_DISK.test(blob)) return blobs.get(blob);
    return sizes.has(blob) ? readFileSync(path(blob)) : undefined;
  };
  return {
    path,
    read,
    readPrevious: () => undefined, // memory is not torn
    sizeOf: (blob) => sizes.get(blob) ?? blobs.get(blob)?.length,
    write: (blob, bytes) => {
      if (ON_DISK.test(blob)) throw new HandsetError('store.name', { name: blob });
      // A copy of its own: a small Buffer is a slice of a slab, which it would keep whole.
      blobs.set(blob, ALIKE.test(blob) ? shared.of(bytes) : new Uint8Array(bytes));
    },
    remove: (blob) => {
      blobs.delete(blob);
      sizes.delete(blob);
      if (blob.startsWith('partial/')) rmSync(path(blob), { force: true });
    },
    names: (of) =>
      [...blobs.keys(), ...sizes.keys()]
        .filter((blob) => blob.startsWith(`${of}/`))
        .map((blob) => blob.slice(of.length + 1))
        .sort(),
    chunks: (blob) => createReadStream(path(blob)) as AsyncIterable<Uint8Array>,
    freeBytes: () => {
      const { bavail, bsize } = statfsSync(folder);
      return bavail * bsize;
    },
    appendTo: (blob, keepBytes) =>
      ON_DISK.test(blob)
        ? fileAppender(path(blob), Math.min(keepBytes ?? Infinity, sizes.get(blob) ?? 0), (n) => sizes.set(blob, n))
        : blobAppender(blobs, blob, keepBytes),
    rename: (from, to) => {
      renameSync(path(from), path(to));
      sizes.set(to, sizes.get(from) ?? 0);
      sizes.delete(from);
    },
  };
}

/** Without a flush: a machine that fails takes the fleet with it. */
function fileAppender(file: string, keepBytes: number, noteSize: (bytes: number) => void): Appender {
  const handle = openSync(file, existsSync(file) && keepBytes > 0 ? 'r+' : 'w', 0o600);
  let at = keepBytes;
  noteSize(at);
  return {
    write: (bytes) => {
      for (let done = 0; done < bytes.length; ) done += writeSync(handle, bytes, done, bytes.length - done, at + done);
      at += bytes.length;
      noteSize(at);
    },
    sync: () => undefined,
    close: () => closeSync(handle),
  };
}

function blobAppender(blobs: Map<string, Uint8Array>, blob: string, keepBytes = Infinity): Appender {
  blobs.set(blob, (blobs.get(blob) ?? new Uint8Array()).slice(0, keepBytes));
  return {
    write: (bytes) => blobs.set(blob, new Uint8Array(Buffer.concat([blobs.get(blob) ?? new Uint8Array(), bytes]))),
    sync: () => undefined,
    close: () => undefined,
  };
}
