import { type EventRecord, projection, tenantPolicy, type Tx } from '#event-log/index.js';
import { type CampaignState, type CampaignStatus, evolve, noCampaign } from './campaign.js';
import type { CampaignEvent, CampaignSettings, ContentEvent } from './events.js';

type ContentRow = Extract<ContentEvent, { type: 'ContentPublished' }>['data'];

/** Read model `content`: what a list shows of each content. A stream's events come in order, so each row is its fold. */
export const contentView = projection('content', 1, {
  topics: ['muster.content'],
  tables: ['p_content_v1'],
  ddl: [
    `create table p_content_v1 (
      tenant text not null,
      content_id uuid not null,
      body json not null,              -- data of ContentPublished
      withdrawn boolean not null,
      published_at timestamptz not null,
      primary key (tenant, content_id))`,
    tenantPolicy('p_content_v1'),
  ],
  async apply(batch, tx) {
    for (const record of batch as readonly EventRecord<ContentEvent>[]) await applyContent(record, tx);
  },
});

async function applyContent(record: EventRecord<ContentEvent>, tx: Tx): Promise<void> {
  const { tenant, subject } = record;
  if (record.type === 'ContentPublished')
    await tx.query(
      `insert into p_content_v1 (tenant, content_id, body, withdrawn, published_at) values ($1, $2, $3, false, $4)`,
      [tenant, subject, JSON.stringify(record.data as ContentRow), record.receivedAt],
    );
  else if (record.type === 'ContentWithdrawn')
    await tx.query('update p_content_v1 set withdrawn = true where tenant = $1 and content_id = $2', [tenant, subject]);
}

const CAMPAIGN_EVENTS: ReadonlySet<string> = new Set<CampaignEvent['type']>([
  'CampaignDrafted',
  'CampaignEdited',
  'CampaignScheduled',
  'CampaignStarted',
  'WaveOpened',
  'CampaignPaused',
  'CampaignResumed',
  'CampaignCompleted',
  'CampaignAborted',
]);

interface CampaignRow {
  status: CampaignStatus;
  pause: CampaignState['pause'];
  recalled: boolean;
  settings: CampaignSettings;
}

/** Read model `campaign`: settings and state of each campaign, by the same fold that commands decide from. */
export const campaignView = projection('campaign', 2, {
  topics: ['muster.campaign'],
  tables: ['p_campaign_v2'],
  ddl: [
    `create table p_campaign_v2 (
      tenant text not null,
      campaign_id uuid not null,
      status text not null,
      pause text,
      recalled boolean not null,
      settings json not null,
      version int not null,            -- of the stream: ETag
      drafted_at timestamptz not null,
      changed_at timestamptz not null,
      primary key (tenant, campaign_id))`,
    'create index on p_campaign_v2 (tenant, drafted_at, campaign_id)',
    tenantPolicy('p_campaign_v2'),
  ],
  async apply(batch, tx) {
    for (const record of batch)
      if (CAMPAIGN_EVENTS.has(record.type)) await applyCampaign(record as EventRecord<CampaignEvent>, tx);
  },
});

async function applyCampaign(record: EventRecord<CampaignEvent>, tx: Tx): Promise<void> {
  const { tenant, subject } = record;
  const [row] = await tx.query<CampaignRow>(
    'select status, pause, recalled, settings from p_campaign_v2 where tenant = $1 and campaign_id = $2',
    [tenant, subject],
  );
  const { status, pause, recalled, settings } = evolve(row ?? noCampaign, record as unknown as CampaignEvent);
  await tx.query(
    `insert into p_campaign_v2 (tenant, campaign_id, status, pause, recalled, settings, version, drafted_at, changed_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $8)
     on conflict (tenant, campaign_id) do update set status = excluded.status, pause = excluded.pause,
       recalled = excluded.recalled, settings = excluded.settings, version = excluded.version,
       changed_at = excluded.changed_at`,
    [tenant, subject, status, pause, recalled, JSON.stringify(settings), record.version, record.receivedAt],
  );
}

/** For the projection runner of whichever app has one. */
export const campaignProjections = [contentView, campaignView];
