import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Inbox, InboxItem } from '#device-protocol/index.js';
import type { Tx } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import type { Clock } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';

interface Addressee {
  tenant: string;
  deviceId: string;
}

/** A cancel has no acknowledgement: after this it has done what it can. */
const KEPT_MS = 30 * 86_400_000;

/** What is for one device. Open items, oldest first; the ETag follows from their ids. */
@Injectable()
export class Inboxes {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async of({ tenant, deviceId }: Addressee): Promise<Inbox & { etag: string }> {
    const rows = await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query<{ body: InboxItem }>(
        `select body from ops.inbox_item where tenant = $1 and device_id = $2 and done_at is null and created_at > $3
         order by created_at, item_id limit 1000`,
        [tenant, deviceId, new Date(this.clock.now() - KEPT_MS)],
      ),
    );
    const items = rows.map(({ body }) => body);
    const ids = createHash('sha256').update(items.map(({ id }) => id).join('\n'));
    return { items, etag: `"${ids.digest('hex').slice(0, 16)}"` };
  }
}

/** @returns false when the item is, or ever was, there: what follows from it has been done */
export async function insertItem(
  tx: Tx,
  { tenant, deviceId }: Addressee,
  item: InboxItem,
  now: number,
): Promise<boolean> {
  const added = await tx.query(
    `insert into ops.inbox_item (tenant, device_id, item_id, body, created_at) values ($1, $2, $3, $4, $5)
     on conflict do nothing returning item_id`,
    [tenant, deviceId, item.id, JSON.stringify(item), new Date(now)],
  );
  return added.length > 0;
}

/** @returns the item, if it was open until now */
export async function closeItem(
  tx: Tx,
  { tenant, deviceId }: Addressee,
  itemId: string,
  now: number,
): Promise<InboxItem | undefined> {
  const [row] = await tx.query<{ body: InboxItem }>(
    `update ops.inbox_item set done_at = $4
     where tenant = $1 and device_id = $2 and item_id = $3 and done_at is null returning body`,
    [tenant, deviceId, itemId, new Date(now)],
  );
  return row?.body;
}
