import { statfs } from 'node:fs/promises';
import path from 'node:path';
import { countedGauge } from '#runtime/nest/runtime.module.js';

/** A file system that something of ours is written to. */
export interface Disk {
  /** What lies on it: `contents`, `database`. */
  name: string;
  folder: string;
}

export interface DiskLimits {
  /** With less left a disk is low, and the process not ready. */
  lowBytes: number;
  /** Of a database that this process runs; any other is somebody else's to watch. */
  databaseFolder?: string;
}

interface Room {
  freeBytes: number;
  sizeBytes: number;
}

/** Disks of this process, watched so that someone hears of one that fills up while writes still succeed. */
export class Disks {
  private readonly disks: readonly Disk[];
  private readonly lowBytes: number;

  constructor(contents: Disk, { lowBytes, databaseFolder }: DiskLimits) {
    const database = databaseFolder === undefined ? [] : [{ name: 'database', folder: databaseFolder }];
    this.disks = [contents, ...database];
    this.lowBytes = lowBytes;
    const gauge = (name: string, help: string, valueOf: (room: Room) => number) =>
      countedGauge({ name, help, labelNames: ['disk'] }, async (set) => {
        for (const { name: disk, folder } of this.disks) set({ disk }, valueOf(await roomOf(folder)));
      });
    gauge('muster_disk_free_bytes', 'Room that is left for this process.', ({ freeBytes }) => freeBytes);
    gauge('muster_disk_size_bytes', 'Size of the file system.', ({ sizeBytes }) => sizeBytes);
    gauge('muster_disk_low_bytes', 'With less room than this the process is not ready.', () => this.lowBytes);
  }

  /** @throws naming the first disk that is low */
  async check(): Promise<void> {
    for (const { name, folder } of this.disks) {
      const { freeBytes } = await roomOf(folder);
      if (freeBytes < this.lowBytes) throw new Error(`${Math.floor(freeBytes / 1_048_576)} MiB left for ${name}`);
    }
  }
}

/** A folder that is made with its first file lies where its parent does. */
async function roomOf(folder: string): Promise<Room> {
  try {
    const { bavail, blocks, bsize } = await statfs(folder);
    return { freeBytes: bavail * bsize, sizeBytes: blocks * bsize };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || path.dirname(folder) === folder) throw error;
    return roomOf(path.dirname(folder));
  }
}
