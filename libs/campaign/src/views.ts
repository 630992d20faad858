import { type EventRecord, projection, tenantPolicy, type Tx } from '#event-log/index.js';
import { type CampaignState, evolve, noCampaign } from './campaign.js';
import type { CampaignEvent, ContentEvent } from './events.js';
import { outcomeView } from './outcome-view.js';
import { seenView } from './seen-view.js';

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

/** One that is missing does not compile. */
const CAMPAIGN_EVENTS = {
  CampaignDrafted: true,
  CampaignEdited: true,
  CampaignSubmitted: true,
  CampaignApproved: true,
  CampaignRejected: true,
  CampaignScheduled: true,
  CampaignStarted: true,
  WaveOpened: true,
  CampaignPaused: true,
  CampaignResumed: true,
  CampaignHalted: true,
  CampaignEnded: true,
  CampaignCompleted: true,
  CampaignAborted: true,
  CampaignStepUndone: true,
} satisfies Record<CampaignEvent['type'], true>;

/** Read model `campaign`: settings and state of each campaign, by the same fold that commands decide from. */
export const campaignView = projection('campaign', 3, {
  topics: ['muster.campaign'],
  tables: ['p_campaign_v3'],
  ddl: [
    `create table p_campaign_v3 (
      tenant text not null,
      campaign_id uuid not null,
      status text not null,
      state json not null,             -- CampaignState
      version int not null,            -- of the stream: ETag
      drafted_at timestamptz not null,
      changed_at timestamptz not null,
      primary key (tenant, campaign_id))`,
    'create index on p_campaign_v3 (tenant, drafted_at, campaign_id)',
    tenantPolicy('p_campaign_v3'),
  ],
  async apply(batch, tx) {
    for (const record of batch)
      if (Object.hasOwn(CAMPAIGN_EVENTS, record.type)) await applyCampaign(record as EventRecord<CampaignEvent>, tx);
  },
});

async function applyCampaign(record: EventRecord<CampaignEvent>, tx: Tx): Promise<void> {
  const { tenant, subject } = record;
  const [row] = await tx.query<{ state: CampaignState }>(
    'select state from p_campaign_v3 where tenant = $1 and campaign_id = $2',
    [tenant, subject],
  );
  const state = evolve(row?.state ?? noCampaign, record as unknown as CampaignEvent);
  await tx.query(
    `insert into p_campaign_v3 (tenant, campaign_id, status, state, version, drafted_at, changed_at)
     values ($1, $2, $3, $4, $5, $6, $6)
     on conflict (tenant, campaign_id) do update set status = excluded.status, state = excluded.state,
       version = excluded.version, changed_at = excluded.changed_at`,
    [tenant, subject, state.status, JSON.stringify(state), record.version, record.receivedAt],
  );
}

/** For the projection runner of whichever app has one. */
export const campaignProjections = [contentView, campaignView, outcomeView, seenView];
