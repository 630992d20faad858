import { Inject, Injectable } from '@nestjs/common';
import { Databases } from '#event-log/nest/event-log.module.js';
import type { Clock } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { Uploads } from './uploads.js';

/** An upload that became no content by then never will. */
const KEPT_MS = 7 * 86_400_000;
const LOOK_MS = 3_600_000;

/** Drops uploads that were left lying. */
@Injectable()
export class StaleUploads {
  private readonly looked = new Map<string, number>();

  constructor(
    @Inject(Databases) private readonly databases: Databases,
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
    this.looked.set(tenant, now);
  }
}
