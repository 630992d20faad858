import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { InsightError } from '../errors.js';
import { funnelSql } from '../views/funnel.js';
import type { ProgressDto } from './progress.dto.js';
import { ReadModels } from './read-models.js';

export class ReadProgress extends Query<ProgressDto> {
  constructor(
    readonly tenant: string,
    readonly campaignId: string,
    readonly asOf: string | undefined,
    readonly ended: AbortSignal,
  ) {
    super();
  }
}

type Step = keyof ProgressDto['funnel'];
interface Row extends Record<Step, number> {
  campaign_id: string;
  name: string | null;
  channel: string | null;
  status: ProgressDto['status'];
  dropped: ProgressDto['dropped'];
  event_at: Date;
  seq: string;
}

@QueryHandler(ReadProgress)
export class ReadProgressHandler implements IQueryHandler<ReadProgress> {
  constructor(@Inject(ReadModels) private readonly models: ReadModels) {}

  /** @throws InsightError `campaign.unknown`: there is none, or there was none then */
  execute({ tenant, campaignId, asOf, ended }: ReadProgress): Promise<ProgressDto> {
    return this.models.read('campaign_progress', { tenant, asOf, ended }, async (db, position) => {
      const [row] = await db.query<Row[]>(`select * from (${funnelSql()}) f where tenant = $1 and campaign_id = $2`, [
        tenant,
        campaignId,
      ]);
      if (row === undefined) throw new InsightError('campaign.unknown', { campaignId });
      const { polled, matched, requested, transferred, installed, confirmed } = row;
      return {
        campaignId: row.campaign_id,
        name: row.name,
        channel: row.channel,
        status: row.status,
        funnel: { polled, matched, requested, transferred, installed, confirmed },
        dropped: row.dropped,
        eventAt: row.event_at.toISOString(),
        seq: row.seq,
        position,
      };
    });
  }
}
