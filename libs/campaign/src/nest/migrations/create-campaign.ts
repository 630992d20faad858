import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ownTenant } from '#event-log/index.js';

/** Every table of a tenant's rows; the tenant comes first in every key, so that a duplicate tells nothing of others. */
const TENANT_TABLES = {
  channel: `create table ops.channel (
    tenant text not null,
    channel text not null check (channel ~ '^[a-z][a-z0-9-]{0,30}$'),
    created_at timestamptz not null,
    primary key (tenant, channel))`,
  upload: `create table ops.upload (
    tenant text not null,
    upload_id uuid not null,          -- also the name of its file
    size_bytes bigint not null,
    sha256 text,                      -- as the client announced it, hex
    file_name text,                   -- a label, never a path
    created_by text not null,
    created_at timestamptz not null,
    primary key (tenant, upload_id))`,
  tuf_key: `create table ops.tuf_key (
    tenant text not null,
    channel text not null,
    role text not null,               -- root, targets: offline; catalogue, policy, snapshot, timestamp, grant: online
    key_id text not null,
    public jsonb not null,
    sealed text,                      -- offline: the private key under a passphrase that is not kept. Online ones are in ops.keyring
    created_at timestamptz not null,
    retired_at timestamptz,
    primary key (tenant, channel, role, key_id))`,
  tuf_file: `create table ops.tuf_file (
    tenant text not null,
    channel text not null,
    name text not null,               -- as it is served below /tuf/<tenant>/<channel>/
    role text,                        -- null for a target
    version int,
    bytes bytea not null,
    sha256 text not null,             -- hex: ETag
    digest text,                      -- timestamp only: CataloguePublished.digest of the snapshot that it names
    created_at timestamptz not null,
    primary key (tenant, channel, name))`,
  inbox_item: `create table ops.inbox_item (
    tenant text not null,
    device_id uuid not null,
    item_id uuid not null,            -- follows from what it is for, so that it is made once
    body jsonb not null,
    created_at timestamptz not null,
    done_at timestamptz,
    primary key (tenant, device_id, item_id))`,
  granted: `create table ops.granted (
    tenant text not null,
    campaign_id uuid not null,        -- first, because a recall asks for all devices of a campaign
    device_id uuid not null,
    content_id uuid not null,
    granted_at timestamptz not null,  -- of the last grant
    primary key (tenant, campaign_id, device_id, content_id))`,
  device_sequence: `create table ops.device_sequence (
    tenant text not null,
    device_id uuid not null,
    epoch bigint not null,
    n bigint not null,                -- the highest that is in the log
    primary key (tenant, device_id))`,
} as const;

/** Operational rows of the campaign room. */
export class CreateCampaign1767200000000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    for (const [table, sql] of Object.entries(TENANT_TABLES)) {
      await db.query(sql);
      for (const statement of ownTenant(`ops.${table}`)) await db.query(statement);
    }
    await db.query(`create index tuf_file_by_role on ops.tuf_file (tenant, channel, role, version desc)`);
    await db.query(`create table ops.duty (
      name text primary key,          -- process manager
      position text not null)         -- of the log, up to where its effects are done`);
  }

  async down(): Promise<void> {
    throw new Error('forward only: restore a backup instead');
  }
}
