import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Inbox, InboxItem } from '#device-protocol/index.js';
import { KnownRows, type RowName, type Tx } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import type { Clock } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';

/** A cancel has no acknowledgement: after this it has done what it can. */
const KEPT_MS = 30 * 86_400_000;

/** About 0.2 KB each: nearly all have the ETag of an empty inbox, which is one text. */
const KNOWN_AT_MOST = 100_000;

/** What is for one device. Open items, oldest first; the ETag follows from their ids. */
@Injectable()
export class Inboxes {
  private readonly etags: KnownRows<string>;

  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.etags = new KnownRows({ database: databases.tail, tables: ['ops.inbox_item'], atMost: KNOWN_AT_MOST });
  }

  async of(device: RowName): Promise<Inbox & { etag: string }> {
    let items: InboxItem[] = [];
    const etag = await this.etags.read(device, async () => etagOf((items = await this.itemsOf(device))));
    return { items, etag };
  }

  /** Its ETag alone, for polls: what another process puts in or takes out shows in it within a second. */
  async etagOf(device: RowName): Promise<string> {
    return this.knownEtagOf(device) ?? (await this.of(device)).etag;
  }

  /** The same where nobody has to be asked; undefined where the database has to. */
  knownEtagOf(device: RowName): string | undefined {
    return this.etags.get(device);
  }

  /** To be called when a change of it has been committed: it counts at once in this process. */
  changed(device: RowName): void {
    this.etags.changed(device);
  }

  private async itemsOf({ tenant, deviceId }: RowName): Promise<InboxItem[]> {
    const rows = await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query<{ body: InboxItem }>(
        `select body from ops.inbox_item where tenant = $1 and device_id = $2 and done_at is null and created_at > $3
         order by created_at, item_id limit 1000`,
        [tenant, deviceId, new Date(this.clock.now() - KEPT_MS)],
      ),
    );
    return rows.map(({ body }) => body);
  }
}

const etagOf = (items: readonly InboxItem[]): string => (items.length === 0 ? EMPTY : hashOf(items));

function hashOf(items: readonly InboxItem[]): string {
  const ids = createHash('sha256').update(items.map(({ id }) => id).join('\n'));
  return `"${ids.digest('hex').slice(0, 16)}"`;
}
const EMPTY = hashOf([]);

/** @returns false when the item is, or ever was, there: what follows from it has been done */
export async function insertItem(
  tx: Tx,
  { tenant, deviceId }: RowName,
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
  { tenant, deviceId }: RowName,
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
