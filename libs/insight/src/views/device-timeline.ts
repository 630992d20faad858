import { projection, tenantPolicy, type Tx } from '#event-log/index.js';
import { analystPolicy, analystView } from './analyst-policy.js';
import { linesSql } from './lines.js';
import { type Fold, type Target, upsert } from './rows.js';
import { type LineRow, type NumberRow, type PolledRow, TimelineFold } from './timeline-fold.js';

const LINE: Target<LineRow> = {
  table: 'p_device_timeline_line_v1',
  columns: {
    tenant: 'text',
    deviceId: 'text',
    eventAt: 'timestamptz',
    receivedAt: 'timestamptz',
    topic: 'text',
    part: 'int',
    off: 'bigint',
    event: 'text',
    text: 'text',
    campaignId: 'text',
    contentId: 'text',
    code: 'text',
    label: 'text',
  },
  key: ['tenant', 'deviceId', 'topic', 'part', 'off'],
  isOfOneRecord: true,
};

const POLLED: Target<PolledRow> = {
  table: 'p_device_timeline_poll_v1',
  columns: {
    tenant: 'text',
    deviceNo: 'bigint',
    eventAt: 'timestamptz',
    receivedAt: 'timestamptz',
    part: 'int',
    off: 'bigint',
    item: 'int',
    rule: 'text',
    answer: 'text',
  },
  key: ['tenant', 'deviceNo', 'part', 'off', 'item'],
  isOfOneRecord: true,
};

const NUMBER: Target<NumberRow> = {
  table: 'p_device_timeline_number_v1',
  columns: { tenant: 'text', deviceNo: 'bigint', deviceId: 'text' },
  key: ['tenant', 'deviceNo'],
};

/** Columns that are nulled when a device is forgotten. */
export const PERSONAL_COLUMNS: readonly string[] = ['label'];

const tables = [LINE, POLLED, NUMBER].map(({ table }) => table);

const ddl = [
  `create table ${LINE.table} (
    tenant text not null, device_id text not null, topic text not null, part int not null, off bigint not null,
    event_at timestamptz not null, received_at timestamptz not null,
    event text not null, text text not null, campaign_id text, content_id text, code text,
    label text, -- personal: null once the device is forgotten
    primary key (tenant, device_id, topic, part, off))`,
  `create table ${POLLED.table} (
    tenant text not null, device_no bigint not null, part int not null, off bigint not null, item int not null,
    event_at timestamptz not null, received_at timestamptz not null, rule text not null, answer text not null,
    primary key (tenant, device_no, part, off, item))`,
  `create table ${NUMBER.table} (
    tenant text not null, device_no bigint not null, device_id text not null,
    primary key (tenant, device_no))`,
  `create unique index on ${NUMBER.table} (tenant, device_id)`,
  ...tables.flatMap((table) => [tenantPolicy(table), ...analystPolicy(table)]),
];

/** Enrolment and erasure are in one stream, so the label is there before it is nulled. */
async function forget(tx: Tx, forgotten: Fold<{ tenant: string; deviceId: string }>): Promise<void> {
  const rows = forgotten.sorted();
  if (rows.length === 0) return;
  await tx.query(
    `update ${LINE.table} as p set label = null
     from unnest($1::text[], $2::text[]) as f (tenant, device_id)
     where p.tenant = f.tenant and p.device_id = f.device_id and p.label is not null`,
    [rows.map(({ tenant }) => tenant), rows.map(({ deviceId }) => deviceId)],
  );
}

/**
 * Read model `device_timeline`: one row per thing that happened to a device, polls included. A poll knows its device
 * by number only, and enrolment is in another partition, so the two meet when read (`lines.ts`). Rows are inserted
 * once and never counted, so partitions may interleave.
 */
export const deviceTimeline = projection('device_timeline', 1, {
  topics: ['muster.handset', 'muster.device'],
  ddl,
  tables,
  views: [
    analystView(
      'v1_device_timeline',
      (schema) => `select tenant, device_id, event_at, received_at, topic || '/' || part || '/' || off as seq, item,
        event, text, campaign_id, content_id, code from (${linesSql(schema)}) line`,
    ),
  ],
  apply: async (batch, tx) => {
    const fold = TimelineFold.of(batch);
    await upsert(tx, NUMBER, fold.numbers.sorted());
    await upsert(tx, POLLED, fold.polls);
    await upsert(tx, LINE, fold.lines);
    await forget(tx, fold.forgotten);
  },
});
