import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { EntityManager } from 'typeorm';
import { Cursors } from '#runtime/nest/runtime.module.js';
import { InsightError } from '../errors.js';
import { bucketsOf, stepFor } from '../rate.js';
import {
  type CampaignDeviceDto,
  type CampaignDevicesPage,
  type CampaignDevicesQuery,
  DEVICE_STEPS,
  type RateDto,
  type RateQuery,
} from './progress.dto.js';
import { ReadModels } from './read-models.js';

const TABLE = 'p_campaign_progress_device_v1';

/** Which devices came how far in a campaign, and why they are not going on. */
export class ListCampaignDevices extends Query<CampaignDevicesPage> {
  constructor(
    readonly tenant: string,
    readonly campaignId: string,
    readonly query: CampaignDevicesQuery,
    readonly ended: AbortSignal,
  ) {
    super();
  }
}

type Instants = Record<`${(typeof DEVICE_STEPS)[number]}_at`, Date | null>;
interface Row extends Instants {
  device_id: string;
  content_id: string;
  drop_kind: CampaignDeviceDto['kind'];
  drop_reason: string | null;
  changed_at: Date;
  seq: string;
}

@QueryHandler(ListCampaignDevices)
export class ListCampaignDevicesHandler implements IQueryHandler<ListCampaignDevices> {
  constructor(
    @Inject(ReadModels) private readonly models: ReadModels,
    @Inject(Cursors) private readonly cursors: Cursors,
  ) {}

  /** In the order of the table's key, so that a page is a walk of its index. @throws InsightError `campaign.unknown` */
  execute({ tenant, campaignId, query, ended }: ListCampaignDevices): Promise<CampaignDevicesPage> {
    const { reached = '', missed = '', kind = '', reason = '', as_of: asOf } = query;
    const list = ['campaign-devices', tenant, campaignId, reached, missed, kind, reason].join(':');
    const [contentId = '', deviceId = ''] = this.cursors.after(list, query) ?? [];
    const wanted = [
      ...(reached === '' ? [] : [`${reached}_at is not null`]), // one of a closed list: `IsIn`
      ...(missed === '' ? [] : [`${missed}_at is null`]),
    ];
    return this.models.read('campaign_progress', { tenant, asOf, ended }, async (db, position) => {
      await requireCampaign(db, tenant, campaignId);
      const rows = await db.query<Row[]>(
        `select * from ${TABLE} where tenant = $1 and campaign_id = $2 and (content_id, device_id) > ($3, $4)
           and ($5 = '' or drop_kind = $5) and ($6 = '' or drop_reason = $6)
           ${wanted.map((condition) => `and ${condition}`).join(' ')}
         order by content_id, device_id limit $7`,
        [tenant, campaignId, contentId, deviceId, kind, reason, query.limit + 1],
      );
      const { items, next } = this.cursors.page(list, query, rows, (row) => [row.content_id, row.device_id]);
      return { items: items.map(viewOf), next, position };
    });
  }
}

const viewOf = (row: Row): CampaignDeviceDto => ({
  deviceId: row.device_id,
  contentId: row.content_id,
  matchedAt: row.matched_at?.toISOString() ?? null,
  requestedAt: row.requested_at?.toISOString() ?? null,
  transferredAt: row.transferred_at?.toISOString() ?? null,
  installedAt: row.installed_at?.toISOString() ?? null,
  confirmedAt: row.confirmed_at?.toISOString() ?? null,
  kind: row.drop_kind,
  reason: row.drop_reason,
  changedAt: row.changed_at.toISOString(),
  seq: row.seq,
});

/** How many came to each step when. */
export class ReadRate extends Query<RateDto> {
  constructor(
    readonly tenant: string,
    readonly campaignId: string,
    readonly query: RateQuery,
    readonly ended: AbortSignal,
  ) {
    super();
  }
}

/** Every step of every content on every device of the campaign, with its time. */
const STEPS_SQL = `${TABLE} d cross join lateral (values ${DEVICE_STEPS.map((step) => `('${step}', d.${step}_at)`).join(', ')}) s(step, at)
  where d.tenant = $1 and d.campaign_id = $2 and s.at is not null`;

@QueryHandler(ReadRate)
export class ReadRateHandler implements IQueryHandler<ReadRate> {
  constructor(@Inject(ReadModels) private readonly models: ReadModels) {}

  /** @throws InsightError `campaign.unknown`, `rate.range` */
  execute({ tenant, campaignId, query, ended }: ReadRate): Promise<RateDto> {
    const { from, to, points, as_of: asOf } = query;
    return this.models.read('campaign_progress', { tenant, asOf, ended }, async (db, position) => {
      await requireCampaign(db, tenant, campaignId);
      const [span] = await db.query<{ first: Date | null; last: Date | null }[]>(
        `select min(s.at) as first, max(s.at) as last from ${STEPS_SQL}`,
        [tenant, campaignId],
      );
      if (span?.first == null || span.last === null) return { campaignId, stepSeconds: 60, points: [], position };
      const range = {
        from: from === undefined ? span.first.getTime() : Date.parse(from),
        to: to === undefined ? span.last.getTime() : Date.parse(to),
      };
      const stepSeconds = stepFor(range, points);
      const rows = await db.query<{ bucket: number; step: string; count: number }[]>(
        `select floor(extract(epoch from s.at) / $3)::int as bucket, s.step, count(*)::int as count
         from ${STEPS_SQL} and s.at >= $4 and s.at <= $5 group by 1, 2`,
        [tenant, campaignId, stepSeconds, new Date(range.from), new Date(range.to)],
      );
      return { campaignId, stepSeconds, points: bucketsOf(range, stepSeconds, rows), position };
    });
  }
}

export const campaignDeviceHandlers = [ListCampaignDevicesHandler, ReadRateHandler];

/** @throws InsightError `campaign.unknown`: there is none, or there was none then */
async function requireCampaign(db: EntityManager, tenant: string, campaignId: string): Promise<void> {
  const found = await db.query<object[]>(
    'select 1 from p_campaign_progress_campaign_v1 where tenant = $1 and campaign_id = $2',
    [tenant, campaignId],
  );
  if (found.length === 0) throw new InsightError('campaign.unknown', { campaignId });
}
