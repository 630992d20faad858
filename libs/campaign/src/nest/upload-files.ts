import { type FileHandle, open, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { FileStore } from '@tus/file-store';
import type { Upload } from '@tus/server';
import { hasNoRoom } from './file-store.js';

/** The files of uploads. Bytes that find no room are given back at once, so that they take none from others. */
export class UploadFiles extends FileStore {
  override async create(upload: Upload): Promise<Upload> {
    try {
      return await super.create(upload);
    } catch (error) {
      const file = path.join(this.directory, upload.id);
      if (hasNoRoom(error)) await Promise.all([rm(file, { force: true }), rm(`${file}.json`, { force: true })]);
      throw error;
    }
  }

  /** What was written before `offset` stays, also when the disk is full. @returns the offset after what is written now */
  override async write(bytes: Readable, uploadId: string, offset: number): Promise<number> {
    const file = await open(path.join(this.directory, uploadId), 'r+');
    try {
      let end = offset;
      // Not destroyed by us: tus would take that for the client's leaving, and answer before the file is cut.
      for await (const chunk of bytes.iterator({ destroyOnReturn: false })) {
        end = await append(file, chunk as Buffer, end).catch(async (error: unknown) => {
          if (hasNoRoom(error)) await file.truncate(offset);
          throw error;
        });
      }
      return end;
    } finally {
      await file.close();
    }
  }
}

/** write(2) may take less than it was given. */
async function append(file: FileHandle, chunk: Buffer, at: number): Promise<number> {
  let written = 0;
  while (written < chunk.length)
    written += (await file.write(chunk, written, chunk.length - written, at + written)).bytesWritten;
  return at + written;
}
