import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { EntityManager } from 'typeorm';
import type { AttentionDto, FailureDto, OverviewCampaignDto, OverviewDto, OverviewLagDto } from './overview.dto.js';
import { ProjectionLag } from './projection-lag.js';
import { viewOf } from './projections.handler.js';
import { ReadModels } from './read-models.js';

/** What a manager looks at first. */
export class ReadOverview extends Query<OverviewDto> {
  constructor(readonly tenant: string) {
    super();
  }
}

const CAMPAIGN = 'p_campaign_progress_campaign_v1';
const DEVICE = 'p_campaign_progress_device_v1';

/** The steps of live campaigns alone: those that are over would be counted each time, and change no more. */
const CAMPAIGNS = `
  select c.campaign_id as "campaignId", c.name, c.channel, c.status, c.changed_at as "changedAt", d.*
  from (select * from ${CAMPAIGN} where tenant = $1 and status in ('running', 'paused', 'halted', 'draining')
    order by changed_at desc, campaign_id limit 50) c
  cross join lateral (select
    count(distinct device_id) filter (where matched_at is not null)::int as matched,
    count(distinct device_id) filter (where transferred_at is not null)::int as transferred,
    count(distinct device_id) filter (where installed_at is not null)::int as installed,
    count(distinct device_id) filter (where confirmed_at is not null)::int as confirmed,
    count(distinct device_id) filter (where drop_kind = 'failed')::int as failed
    from ${DEVICE} d where d.tenant = c.tenant and d.campaign_id = c.campaign_id) d
  order by c.changed_at desc, c.campaign_id`;
const FAILURES = `
  select d.device_id as "deviceId", d.campaign_id as "campaignId", c.name as "campaignName", d.content_id as "contentId",
    d.drop_kind as kind, d.drop_reason as reason, d.changed_at as at, d.seq
  from ${DEVICE} d join ${CAMPAIGN} c using (tenant, campaign_id)
  where d.tenant = $1 and d.campaign_id = any($2) and d.drop_kind = 'failed'
  order by d.changed_at desc, d.seq limit 20`;
const ATTENTION = `
  select campaign_id as "campaignId", name, status, changed_at as since from ${CAMPAIGN}
  where tenant = $1 and status in ('in-review', 'approved', 'halted') order by changed_at desc, campaign_id limit 50`;

type WithDate<T, K extends keyof T> = Omit<T, K> & Record<K, Date>;

@QueryHandler(ReadOverview)
export class ReadOverviewHandler implements IQueryHandler<ReadOverview> {
  constructor(
    @Inject(ReadModels) private readonly models: ReadModels,
    @Inject(ProjectionLag) private readonly lag: ProjectionLag,
  ) {}

  async execute({ tenant }: ReadOverview): Promise<OverviewDto> {
    const [campaigns, lag] = await Promise.all([
      this.models.read('campaign_progress', { tenant }, (db, position) => ofCampaigns(db, tenant, position)),
      this.worstLag(),
    ]);
    return { ...campaigns, lag };
  }

  private async worstLag(): Promise<OverviewLagDto> {
    const all = (await this.lag.list()).map(viewOf);
    const states = (['stopped', 'rebuilding', 'behind'] as const).filter((state) =>
      all.some((one) => one.state === state),
    );
    return {
      state: states[0] ?? 'live',
      events: Math.max(0, ...all.map(({ lagEvents }) => lagEvents)),
      seconds: Math.max(0, ...all.map(({ lagSeconds }) => lagSeconds)),
      parked: all.reduce((sum, { parked }) => sum + parked, 0),
    };
  }
}

async function ofCampaigns(db: EntityManager, tenant: string, position: string): Promise<Omit<OverviewDto, 'lag'>> {
  const campaigns = await db.query<WithDate<OverviewCampaignDto, 'changedAt'>[]>(CAMPAIGNS, [tenant]);
  const live = campaigns.map(({ campaignId }) => campaignId);
  const failures = await db.query<WithDate<FailureDto, 'at'>[]>(FAILURES, [tenant, live]);
  const attention = await db.query<WithDate<AttentionDto, 'since'>[]>(ATTENTION, [tenant]);
  return {
    campaigns: campaigns.map((row) => ({ ...row, changedAt: row.changedAt.toISOString() })),
    failures: failures.map((row) => ({ ...row, at: row.at.toISOString() })),
    attention: attention.map((row) => ({ ...row, since: row.since.toISOString() })),
    position,
  };
}
