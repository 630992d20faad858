import { open } from 'node:fs/promises';

/**
 * Makes a file durable, or what a folder holds: a new name is on the disk only when its folder is
 * (fsync(2): "does not necessarily ensure that the entry in the directory … has reached disk").
 */
export async function flush(fileOrFolder: string): Promise<void> {
  const handle = await open(fileOrFolder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
