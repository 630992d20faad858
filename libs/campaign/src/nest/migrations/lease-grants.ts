import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ownTenant } from '#event-log/index.js';

/** A grant is a lease: it counts against the caps until its transfer ends or it expires, and keeps other campaigns of its group away until it ends. */
export class LeaseGrants1767200000003 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`alter table ops.granted
      add column expires_at timestamptz not null default '-infinity', -- renewed while bytes are sent
      add column transferred_at timestamptz,
      add column ended_at timestamptz`); // confirmed, failed or declined
    await db.query(`create index granted_under_way on ops.granted (tenant, campaign_id, expires_at)
      where transferred_at is null and ended_at is null`);
    await db.query('create index granted_of_device on ops.granted (tenant, device_id) where ended_at is null');
    await db.query(`create table ops.cap_usage (
      tenant text not null,
      campaign_id uuid not null,        -- nil: of all campaigns together
      credit double precision not null, -- bytes that may be granted at once; below 0 when a large content was
      day_bytes bigint not null,        -- granted on the day of counted_at, in UTC
      counted_at timestamptz not null,
      primary key (tenant, campaign_id)) with (fillfactor = 50)`);
    for (const statement of ownTenant('ops.cap_usage')) await db.query(statement);
  }

  async down(): Promise<void> {
    throw new Error('forward only: restore a backup instead');
  }
}
