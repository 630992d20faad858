import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ownTenant } from '#event-log/index.js';

/** Whom an administrator wants to have told what, and what is still to be told. */
export class CreateWebhooks1767200000016 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`create table ops.webhook (
      tenant text not null,
      webhook_id uuid not null,
      url text not null,
      kinds text[] not null,
      enabled boolean not null,
      since text not null, -- position of the log when it was added: what stood before it is not told
      created_at timestamptz not null,
      delivered_at timestamptz,
      failed_at timestamptz,
      failure text,
      primary key (tenant, webhook_id))`);
    await db.query(`create table ops.webhook_delivery (
      tenant text not null,
      delivery_id uuid not null, -- follows from webhook and event
      webhook_id uuid not null,
      notice json not null,
      state text not null check (state in ('waiting', 'delivered', 'given-up')),
      attempts int not null,
      next_at timestamptz not null,
      queued_at timestamptz not null,
      ended_at timestamptz,
      failure text,
      primary key (tenant, delivery_id))`);
    await db.query(`create index webhook_delivery_waiting on ops.webhook_delivery (tenant, webhook_id, queued_at)
      where state = 'waiting'`);
    await db.query('create index webhook_delivery_of on ops.webhook_delivery (tenant, webhook_id, queued_at desc)');
    for (const table of ['ops.webhook', 'ops.webhook_delivery'])
      for (const statement of ownTenant(table)) await db.query(statement);
  }

  async down(): Promise<void> {
    throw new Error('forward only: restore a backup instead');
  }
}
