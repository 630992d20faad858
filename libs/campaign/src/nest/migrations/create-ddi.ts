import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ownTenant } from '#event-log/index.js';

const TABLES = {
  ddi_device: `create table ops.ddi_device (
    tenant text not null,
    device_id uuid not null,
    kept bytea,                        -- what it told of itself and who confirms for it, sealed by the subject's key
    asks boolean not null,             -- whether its next poll asks it to tell
    primary key (tenant, device_id)) with (fillfactor = 85)`,
  ddi_action: `create table ops.ddi_action (
    tenant text not null,
    action_id int not null,            -- decimal in addresses: clients read it as 31 bits
    device_id uuid not null,
    campaign_id uuid not null,
    content_id uuid not null,
    state text not null,               -- waiting, offered, canceling, installed: open; finished, failed, canceled, denied, ended
    opened_at timestamptz not null,
    changed_at timestamptz not null,   -- of the state
    is_retrieved boolean not null default false,
    is_started boolean not null default false,     -- its transfer
    is_transferred boolean not null default false,
    refused_cancel boolean not null default false,
    served_bytes bigint not null default 0,        -- from the first on, without a gap
    reports int not null default 0,
    messages bytea,                    -- the newest reports' text, sealed by the subject's key
    primary key (tenant, action_id)) with (fillfactor = 85)`,
  ddi_counter: `create table ops.ddi_counter (
    tenant text primary key,
    next_id bigint not null)`,
  content_digest: `create table ops.content_digest (
    tenant text not null,
    sha256 text not null,
    sha1 text not null,
    md5 text not null,
    primary key (tenant, sha256))`,
} as const;

/** The hawkBit device API: its small action ids, what its clients are asked for once, and the digests that they compare. */
export class CreateDdi1767200000010 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    for (const [table, sql] of Object.entries(TABLES)) {
      await db.query(sql);
      for (const statement of ownTenant(`ops.${table}`)) await db.query(statement);
    }
    await db.query('create index ddi_action_of_device on ops.ddi_action (tenant, device_id)');
    await db.query(`create unique index one_ddi_action_at_a_time on ops.ddi_action (tenant, device_id)
      where state in ('waiting', 'offered', 'canceling', 'installed')`);
  }

  async down(): Promise<void> {
    throw new Error('forward only: restore a backup instead');
  }
}
