import type { DeviceFactByHandset } from '#handset/events.js';
import { type EventRecord, projection, tenantPolicy, type Tx } from '#event-log/index.js';
import { instant } from '#runtime/index.js';
import { type DeviceFactByServer, unpackPolls } from './events.js';

type DeviceFact = DeviceFactByHandset | DeviceFactByServer;

/**
 * Read model `device_seen`: when each device asked last, and where in the log it is that it told last what it is (the values
 * stay there, sealed). Polls name a device by its number, facts by its id. The latest counts, in whatever order they come;
 * the tellings of a device are in one partition, in order.
 */
export const seenView = projection('device_seen', 1, {
  topics: ['muster.device'],
  tables: ['p_device_seen_poll_v1', 'p_device_seen_told_v1'],
  ddl: [
    `create table p_device_seen_poll_v1 (
      tenant text not null,
      device_no bigint not null,
      polled_at timestamptz not null,
      primary key (tenant, device_no)) with (fillfactor = 70)`,
    `create table p_device_seen_told_v1 (
      tenant text not null,
      device_id uuid not null,
      asked_at timestamptz,            -- as it says itself: behind a CDN nobody else hears of it
      part int,                        -- of the HandsetDescribed that came last
      off bigint,
      primary key (tenant, device_id)) with (fillfactor = 70)`,
    tenantPolicy('p_device_seen_poll_v1'),
    tenantPolicy('p_device_seen_told_v1'),
  ],
  async apply(batch, tx) {
    const polls = new Map<string, { tenant: string; deviceNo: number; at: number }>();
    const told = new Map<string, Told>();
    for (const record of batch as readonly EventRecord<DeviceFact>[]) fold(record, polls, told);
    await upsertPolls(inOrder(polls), tx);
    await upsertTold(inOrder(told), tx);
  },
});

interface Told {
  tenant: string;
  deviceId: string;
  askedAt: string | null;
  part: number | null;
  off: number | null;
}

function fold(
  record: EventRecord<DeviceFact>,
  polls: Map<string, { tenant: string; deviceNo: number; at: number }>,
  told: Map<string, Told>,
): void {
  const { tenant, subject: deviceId } = record;
  const fact = record as unknown as DeviceFact;
  if (fact.type === 'PollsRecorded') {
    for (const { deviceNo, at } of unpackPolls(fact.data)) {
      const key = `${tenant} ${deviceNo}`;
      polls.set(key, { tenant, deviceNo, at: Math.max(at, polls.get(key)?.at ?? 0) });
    }
    return;
  }
  if (fact.type !== 'HandsetDescribed' && fact.type !== 'AvailabilityRequested') return;
  const key = `${tenant} ${deviceId}`;
  const row = told.get(key) ?? { tenant, deviceId, askedAt: null, part: null, off: null };
  const place = fact.type === 'HandsetDescribed' ? { part: record.partition, off: record.offset } : {};
  const askedAt = fact.type === 'AvailabilityRequested' ? later(row.askedAt, record.receivedAt) : row.askedAt;
  told.set(key, { ...row, ...place, askedAt });
}

const later = (a: string | null, b: string): string => (a !== null && a > b ? a : b);

/** Two transactions that write the same rows would wait for each other otherwise. */
const inOrder = <Row>(rows: ReadonlyMap<string, Row>): Row[] =>
  [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);

async function upsertPolls(rows: readonly { tenant: string; deviceNo: number; at: number }[], tx: Tx): Promise<void> {
  if (rows.length === 0) return;
  await tx.query(
    `insert into p_device_seen_poll_v1 as p (tenant, device_no, polled_at)
     select * from unnest($1::text[], $2::bigint[], $3::timestamptz[])
     on conflict (tenant, device_no) do update set polled_at = greatest(p.polled_at, excluded.polled_at)`,
    [rows.map(({ tenant }) => tenant), rows.map(({ deviceNo }) => deviceNo), rows.map(({ at }) => instant(at))],
  );
}

async function upsertTold(rows: readonly Told[], tx: Tx): Promise<void> {
  if (rows.length === 0) return;
  await tx.query(
    `insert into p_device_seen_told_v1 as p (tenant, device_id, asked_at, part, off)
     select * from unnest($1::text[], $2::uuid[], $3::timestamptz[], $4::int[], $5::bigint[])
     on conflict (tenant, device_id) do update set asked_at = greatest(p.asked_at, excluded.asked_at),
       part = coalesce(excluded.part, p.part), off = coalesce(excluded.off, p.off)`,
    [
      rows.map(({ tenant }) => tenant),
      rows.map(({ deviceId }) => deviceId),
      rows.map(({ askedAt }) => askedAt),
      rows.map(({ part }) => part),
      rows.map(({ off }) => off),
    ],
  );
}
