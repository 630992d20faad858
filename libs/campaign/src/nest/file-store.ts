import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { failpoint, flush } from '#runtime/index.js';
import type { Digests } from '../ddi/bodies.js';
import { CampaignError } from '../errors.js';
import type { ByteRange } from '../range.js';
import { CAMPAIGN_OPTIONS, type CampaignOptions } from './options.js';
import { PacedFile } from './paced-file.js';

/** Bytes of contents, once each, as `contents/<first two digits>/<sha-256>`. No name that anyone chose becomes a path. */
@Injectable()
export class FileStore {
  readonly root: string;
  readonly uploads: string;

  constructor(@Inject(CAMPAIGN_OPTIONS) { dataDir }: CampaignOptions) {
    this.root = path.resolve(dataDir, 'contents');
    this.uploads = path.resolve(dataDir, 'uploads');
  }

  /** Both lie on one disk: what is adopted is linked. */
  get disk(): { name: string; folder: string } {
    return { name: 'contents', folder: this.uploads };
  }

  /**
   * Takes a finished file in, whole or not at all: flushed, given a temporary name beside its place, renamed, and the
   * folder flushed. The file stays where it was, too.
   * @throws CampaignError `upload.unavailable` when the disk is full
   */
  async adopt(file: string, sha256: string): Promise<void> {
    try {
      await this.place(file, sha256);
    } catch (error) {
      throw hasNoRoom(error) ? new CampaignError('upload.unavailable', {}, NO_ROOM) : error;
    }
  }

  /** Behind the commit of an event that names the bytes: a sweep that had not seen it may have put them aside. */
  async keep(file: string, sha256: string): Promise<void> {
    if ((await sizeOf(this.pathOf(sha256))) === undefined) await this.adopt(file, sha256);
  }

  read(sha256: string, range?: ByteRange): PacedFile {
    return new PacedFile(this.pathOf(sha256), range);
  }

  /** All of it: for contents that are small. */
  whole(sha256: string): Promise<Buffer> {
    return readFile(this.pathOf(sha256));
  }

  private async place(file: string, sha256: string): Promise<void> {
    const target = this.pathOf(sha256);
    await makeFolder(path.dirname(target));
    await flush(file);
    const temporary = `${target}.${path.basename(file)}`;
    await rm(temporary, { force: true }); // of an attempt that was cut off
    await link(file, temporary);
    failpoint('content.before-rename');
    await rename(temporary, target);
    failpoint('content.after-rename');
    await rm(temporary, { force: true }); // rename(2) does nothing where both names are one file already: cut off after it
    await flush(path.dirname(target));
  }

  /** Where the bytes of a digest lie, if they are there. */
  pathOf(sha256: string): string {
    return path.join(this.root, sha256.slice(0, 2), sha256);
  }
}

export const NO_ROOM = 'the server has no room for it now';

/** The disk, or our share of it, is full. */
export const hasNoRoom = (error: unknown): boolean =>
  ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');

/** A new folder is on the disk only when the one that holds it is flushed, too. */
async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = path.dirname(made)) await flush(path.dirname(made));
}

/** @returns undefined when there is no such file */
export async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Hex, of one reading. */
export async function digestsOf(file: string): Promise<Digests> {
  const [sha256, sha1, md5] = [createHash('sha256'), createHash('sha1'), createHash('md5')];
  for await (const chunk of createReadStream(file, { highWaterMark: 1_048_576 }))
    for (const hash of [sha256, sha1, md5]) hash.update(chunk as Buffer);
  return { sha256: sha256.digest('hex'), sha1: sha1.digest('hex'), md5: md5.digest('hex') };
}
