import { mkdirSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Area, Storage } from '#secure-element/index.js';

/** An element's two areas as files that only their owner reads. What is written is on the disk before it counts. */
export function fileStorage(folder: string): Storage {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const nameOf = (area: Area): string => join(folder, `area-${area}`);
  return {
    read: async (area) => {
      try {
        return await readFile(nameOf(area));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Uint8Array();
        throw error;
      }
    },
    append: (area, bytes) => onFile(nameOf(area), 'a', (file) => file.appendFile(bytes)),
    truncate: (area, length) => onFile(nameOf(area), 'a', (file) => file.truncate(length)),
  };
}

async function onFile(name: string, flags: string, work: (file: Awaited<ReturnType<typeof open>>) => Promise<void>) {
  const file = await open(name, flags, 0o600);
  try {
    await work(file);
    await file.sync();
  } finally {
    await file.close();
  }
}
