import { type EventRecord, projection, tenantPolicy, type Tx } from '#event-log/index.js';
import { OUTCOMES, type Step, STEPS, type Tally, type Timeouts } from './outcomes.js';
import { pastFact, stepOf } from './past.js';

interface Row extends Partial<Record<Step, string>> {
  tenant: string;
  campaignId: string;
  contentId: string;
  deviceId: string;
}

/**
 * Read model `campaign_outcome`: when each device came to which step with each content of a campaign, the first time of each.
 * What the gates of waves and the stop rules count. A device's facts are in one partition, in order.
 */
export const outcomeView = projection('campaign_outcome', 1, {
  topics: ['muster.device'],
  tables: ['p_campaign_outcome_v1'],
  ddl: [
    `create table p_campaign_outcome_v1 (
      tenant text not null,
      campaign_id uuid not null,
      content_id uuid not null,
      device_id uuid not null,
      ${STEPS.map((step) => `${step}_at timestamptz`).join(', ')},
      primary key (tenant, campaign_id, content_id, device_id)) with (fillfactor = 85)`,
    tenantPolicy('p_campaign_outcome_v1'),
  ],
  async apply(batch, tx) {
    await upsert([...foldSteps(batch).values()], tx);
  },
});

function foldSteps(batch: readonly EventRecord[]): Map<string, Row> {
  const rows = new Map<string, Row>();
  for (const record of batch) {
    const fact = pastFact(record, record.receivedAt);
    const step = fact && stepOf(fact.event, fact.code);
    if (fact === undefined || step === undefined) continue;
    const { campaignId, contentId } = fact;
    const { tenant, subject: deviceId, receivedAt } = record;
    const key = `${tenant} ${campaignId} ${contentId} ${deviceId}`;
    const row = rows.get(key) ?? { tenant, campaignId, contentId, deviceId };
    row[step] ??= receivedAt;
    rows.set(key, row);
  }
  return rows;
}

/** In the order of the keys: two transactions that write the same rows would wait for each other otherwise. */
async function upsert(rows: Row[], tx: Tx): Promise<void> {
  if (rows.length === 0) return;
  const keyOf = (row: Row) => `${row.tenant} ${row.campaignId} ${row.contentId} ${row.deviceId}`;
  rows.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const columns = STEPS.map((step) => `${step}_at`);
  const arrays = STEPS.map((_, i) => `$${i + 5}::timestamptz[]`);
  await tx.query(
    `insert into p_campaign_outcome_v1 as p (tenant, campaign_id, content_id, device_id, ${columns.join(', ')})
     select * from unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[], ${arrays.join(', ')})
     on conflict (tenant, campaign_id, content_id, device_id) do update
     set ${columns.map((column) => `${column} = coalesce(p.${column}, excluded.${column})`).join(', ')}`,
    [
      rows.map(({ tenant }) => tenant),
      rows.map(({ campaignId }) => campaignId),
      rows.map(({ contentId }) => contentId),
      rows.map(({ deviceId }) => deviceId),
      ...STEPS.map((step) => rows.map((row) => row[step] ?? null)),
    ],
  );
}

/** The same as `outcomeOf`; of several contents of a device what is worst counts, and it is confirmed when all are. */
const TALLY = `
  with content as (
    select device_id, case
      when failed_at is not null then 1
      when confirmed_at is not null then 6
      when installed_at is not null then case when installed_at <= $4 then 2 else 5 end
      when declined_at is not null then 4
      when transferred_at is not null then case when transferred_at <= $4 then 3 else 5 end
      when granted_at <= $3 then 3
      when granted_at is not null then 5
    end as rank
    from proj.p_campaign_outcome_v1
    where tenant = $1 and campaign_id = $2 and ($5::timestamptz is null or granted_at >= $5)
      and ($6::uuid is null or device_id = $6)
  ), device as (
    select min(rank) as rank from content group by device_id
  )
  select rank, count(*)::int as devices from device where rank is not null group by rank`;
const RANKS = { 1: 'failed', 2: 'silent', 3: 'timed-out', 4: 'declined', 6: 'confirmed' } as const;

export interface Counted {
  tally: Tally;
  /** Devices that have begun, and come to no end yet. */
  underWay: number;
}

/**
 * What has become of a campaign's devices by now.
 * @param tx on the query side, in the tenant
 * @param since of those alone that were granted it since then @param deviceId of this one alone
 */
export async function countOutcomes(
  tx: Tx,
  { tenant, campaignId }: { tenant: string; campaignId: string },
  { timeouts, now, since, deviceId }: { timeouts: Timeouts; now: number; since?: string; deviceId?: string },
): Promise<Counted> {
  const before = (minutes: number | null) => (minutes === null ? '-infinity' : new Date(now - minutes * 60_000));
  const rows = await tx.query<{ rank: number; devices: number }>(TALLY, [
    tenant,
    campaignId,
    before(timeouts.transferMinutes),
    before(timeouts.confirmMinutes),
    since ?? null,
    deviceId ?? null,
  ]);
  const tally = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0])) as Record<keyof Tally, number>;
  for (const { rank, devices } of rows) if (rank in RANKS) tally[RANKS[rank as keyof typeof RANKS]] = devices;
  return { tally, underWay: rows.find(({ rank }) => rank === 5)?.devices ?? 0 };
}
