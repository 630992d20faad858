import { Inject, Injectable } from '@nestjs/common';
import { Databases } from '#event-log/nest/event-log.module.js';
import { refusal } from '../errors.js';
import type { InChannel } from './in-channel.js';
import type { ChannelView } from './vocabulary-view.dto.js';

/** The named audiences of a tenant. */
@Injectable()
export class Channels {
  constructor(@Inject(Databases) private readonly databases: Databases) {}

  async list(tenant: string): Promise<ChannelView[]> {
    const rows = await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query<{ channel: string; created_at: Date }>(
        'select channel, created_at from ops.channel where tenant = $1 order by channel',
        [tenant],
      ),
    );
    return rows.map(({ channel, created_at }) => ({ channel, createdAt: created_at.toISOString() }));
  }

  async names(tenant: string): Promise<ReadonlySet<string>> {
    return new Set((await this.list(tenant)).map(({ channel }) => channel));
  }

  /** @throws CampaignError `channel.unknown` */
  async require(tenant: string, channel: string): Promise<void> {
    if (!(await this.names(tenant)).has(channel)) throw refusal('channel.unknown', '/channel', 'no such channel');
  }

  /** @returns false when it was there already */
  async insert({ tx, tenant, channel, now }: InChannel): Promise<boolean> {
    const added = await tx.query(
      `insert into ops.channel (tenant, channel, created_at) values ($1, $2, $3)
       on conflict do nothing returning channel`,
      [tenant, channel, new Date(now)],
    );
    return added.length > 0;
  }
}
