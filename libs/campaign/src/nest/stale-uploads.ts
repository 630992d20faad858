import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { Databases } from '#event-log/nest/event-log.module.js';
import type { Clock } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { FileStore } from './file-store.js';
import { Uploads } from './uploads.js';

/** An upload that became no content by then never will. */
const KEPT_MS = 7 * 86_400_000;
const LOOK_MS = 3_600_000;

/** Drops uploads that were left lying, and files that nobody knows of. */
@Injectable()
export class StaleUploads {
  private readonly looked = new Map<string, number>();

  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(FileStore) private readonly files: FileStore,
    @Inject(Uploads) private readonly uploads: Uploads,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async tick(tenant: string): Promise<void> {
    const now = this.clock.now();
    if (Math.abs(now - (this.looked.get(tenant) ?? 0)) < LOOK_MS) return;
    const stale = await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query<{ upload_id: string }>('select upload_id from ops.upload where tenant = $1 and created_at < $2', [
        tenant,
        new Date(now - KEPT_MS),
      ]),
    );
    for (const { upload_id } of stale) await this.uploads.forget(tenant, upload_id);
    await this.sweepFiles();
    this.looked.set(tenant, now);
  }

  /**
   * Files whose row went before them: a process ended in between. A row is at most as old as its file's last byte, so one
   * that old has no row of any tenant. By the machine's time, which is what files carry.
   */
  private async sweepFiles(): Promise<void> {
    for (const name of await readdir(this.files.uploads)) {
      const file = path.join(this.files.uploads, name);
      const changed = (await stat(file).catch(() => undefined))?.mtimeMs; // gone meanwhile
      if (changed !== undefined && changed < Date.now() - KEPT_MS - LOOK_MS) await rm(file, { force: true });
    }
  }
}
