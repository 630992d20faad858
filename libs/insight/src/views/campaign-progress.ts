import { projection, tenantPolicy } from '#event-log/index.js';
import { analystPolicy, analystView } from './analyst-policy.js';
import { funnelSql } from './funnel.js';
import {
  type AvailabilityRow,
  type CampaignRow,
  type DescribedRow,
  type DeviceRow,
  type HandsetRow,
  type PollRow,
  ProgressFold,
  type SnapshotRow,
} from './progress-fold.js';
import { type Target, upsert } from './rows.js';

const CAMPAIGN: Target<CampaignRow> = {
  table: 'p_campaign_progress_campaign_v1',
  columns: {
    tenant: 'text',
    campaignId: 'text',
    name: 'text',
    channel: 'text',
    status: 'text',
    changedAt: 'timestamptz',
    seq: 'text',
  },
  key: ['tenant', 'campaignId'],
  set: `name = coalesce(excluded.name, p.name), channel = coalesce(excluded.channel, p.channel),
    status = coalesce(excluded.status, p.status), changed_at = excluded.changed_at, seq = excluded.seq`,
};

const DEVICE: Target<DeviceRow> = {
  table: 'p_campaign_progress_device_v1',
  columns: {
    tenant: 'text',
    campaignId: 'text',
    contentId: 'text',
    deviceId: 'text',
    matchedAt: 'timestamptz',
    requestedAt: 'timestamptz',
    transferredAt: 'timestamptz',
    installedAt: 'timestamptz',
    confirmedAt: 'timestamptz',
    dropKind: 'text',
    dropReason: 'text',
    changedAt: 'timestamptz',
    seq: 'text',
  },
  key: ['tenant', 'campaignId', 'contentId', 'deviceId'],
  set: `matched_at = coalesce(p.matched_at, excluded.matched_at),
    requested_at = coalesce(p.requested_at, excluded.requested_at),
    transferred_at = coalesce(p.transferred_at, excluded.transferred_at),
    installed_at = coalesce(p.installed_at, excluded.installed_at),
    confirmed_at = coalesce(p.confirmed_at, excluded.confirmed_at),
    drop_kind = excluded.drop_kind, drop_reason = excluded.drop_reason,
    changed_at = excluded.changed_at, seq = excluded.seq`,
};

const POLL: Target<PollRow> = {
  table: 'p_campaign_progress_poll_v1',
  columns: { tenant: 'text', digest: 'text', deviceNo: 'bigint', firstAt: 'timestamptz' },
  key: ['tenant', 'digest', 'deviceNo'],
  set: 'first_at = least(p.first_at, excluded.first_at)', // the batches of one device may be in several partitions
};

const AVAILABILITY: Target<AvailabilityRow> = {
  table: 'p_campaign_progress_availability_v1',
  columns: { tenant: 'text', deviceId: 'text', snapshotVersion: 'int', firstAt: 'timestamptz' },
  key: ['tenant', 'deviceId', 'snapshotVersion'],
};

const SNAPSHOT: Target<SnapshotRow> = {
  table: 'p_campaign_progress_snapshot_v1',
  columns: { tenant: 'text', channel: 'text', version: 'int', digest: 'text' },
  key: ['tenant', 'channel', 'version'],
};

const DESCRIBED: Target<DescribedRow> = {
  table: 'p_campaign_progress_described_v1',
  columns: { tenant: 'text', campaignId: 'text', digest: 'text' },
  key: ['tenant', 'campaignId', 'digest'],
};

const HANDSET: Target<HandsetRow> = {
  table: 'p_campaign_progress_handset_v1',
  columns: { tenant: 'text', deviceNo: 'bigint', deviceId: 'text', channel: 'text' },
  key: ['tenant', 'deviceNo'],
};

const tables = [CAMPAIGN, DEVICE, POLL, AVAILABILITY, SNAPSHOT, DESCRIBED, HANDSET].map(({ table }) => table);

const ddl = [
  `create table ${CAMPAIGN.table} (
    tenant text not null, campaign_id text not null,
    name text, channel text, status text, -- null until the fact that says it has come
    changed_at timestamptz not null, seq text not null,
    primary key (tenant, campaign_id))`,
  `create table ${DEVICE.table} (
    tenant text not null, campaign_id text not null, content_id text not null, device_id text not null,
    matched_at timestamptz, requested_at timestamptz, transferred_at timestamptz,
    installed_at timestamptz, confirmed_at timestamptz, -- null: not come that far
    drop_kind text, drop_reason text, -- null: going on
    changed_at timestamptz not null, seq text not null,
    primary key (tenant, campaign_id, content_id, device_id)) with (fillfactor = 85)`,
  `create table ${POLL.table} (
    tenant text not null, digest text not null, device_no bigint not null, first_at timestamptz not null,
    primary key (tenant, digest, device_no))`,
  `create table ${AVAILABILITY.table} (
    tenant text not null, device_id text not null, snapshot_version int not null, first_at timestamptz not null,
    primary key (tenant, device_id, snapshot_version))`,
  `create table ${SNAPSHOT.table} (
    tenant text not null, channel text not null, version int not null, digest text not null,
    primary key (tenant, channel, version))`,
  `create table ${DESCRIBED.table} (
    tenant text not null, campaign_id text not null, digest text not null,
    primary key (tenant, campaign_id, digest))`,
  `create table ${HANDSET.table} (
    tenant text not null, device_no bigint not null, device_id text not null, channel text not null,
    primary key (tenant, device_no))`,
  ...tables.flatMap((table) => [tenantPolicy(table), ...analystPolicy(table)]),
];

/**
 * Read model `campaign_progress`: how far each device came with each content of a campaign, and which devices saw
 * which snapshot. The funnel counts over it (`funnel.ts`). Which campaigns a poll's digest held, and which device its
 * number is, stand in other partitions: they are rows of their own and meet when read, so partitions may interleave.
 * Within `muster.device` a device's facts are in order, so first instants and last words need no comparing.
 */
export const campaignProgress = projection('campaign_progress', 1, {
  topics: ['muster.campaign', 'muster.handset', 'muster.device'],
  ddl,
  tables,
  views: [analystView('v1_campaign_progress', funnelSql)],
  apply: async (batch, tx) => {
    const fold = ProgressFold.of(batch);
    await upsert(tx, CAMPAIGN, fold.campaigns.sorted());
    await upsert(tx, DEVICE, fold.devices.sorted());
    await upsert(tx, POLL, fold.polls.sorted());
    await upsert(tx, AVAILABILITY, fold.availability.sorted());
    await upsert(tx, SNAPSHOT, fold.snapshots.sorted());
    await upsert(tx, DESCRIBED, fold.described.sorted());
    await upsert(tx, HANDSET, fold.handsets.sorted());
  },
});
