import { Inject } from '@nestjs/common';
import {
  Command,
  CommandBus,
  CommandHandler,
  type ICommandHandler,
  type IQueryHandler,
  Query,
  QueryHandler,
} from '@nestjs/cqrs';
import type { EventContext } from '#event-log/index.js';
import { summaryOf } from '../dry-run.js';
import { refusal } from '../errors.js';
import type { CampaignView } from './campaign-view.dto.js';
import { type DryRunView, viewOfDryRun } from './dry-run.dto.js';
import { DryRuns } from './dry-runs.js';
import { LiveBoard } from './live-board.js';
import { RunCampaign } from './run-campaign.handler.js';

/** What a draft would have come to. */
export class SimulateCampaign extends Query<DryRunView> {
  constructor(
    readonly tenant: string,
    readonly campaignId: string,
    readonly days: number,
  ) {
    super();
  }
}

@QueryHandler(SimulateCampaign)
export class SimulateCampaignHandler implements IQueryHandler<SimulateCampaign> {
  constructor(@Inject(DryRuns) private readonly runs: DryRuns) {}

  /** @throws CampaignError `campaign.unknown`, `campaign.dry-run-busy` */
  async execute({ tenant, campaignId, days }: SimulateCampaign): Promise<DryRunView> {
    return viewOfDryRun(campaignId, await this.runs.make(tenant, campaignId, days));
  }
}

/** Submits a draft with the dry run that its judges are shown. */
export class SubmitForReview extends Command<CampaignView> {
  constructor(
    readonly data: { campaignId: string; report: string | undefined },
    readonly context: EventContext,
    readonly version?: number,
  ) {
    super();
  }
}

@CommandHandler(SubmitForReview)
export class SubmitForReviewHandler implements ICommandHandler<SubmitForReview> {
  constructor(
    @Inject(DryRuns) private readonly runs: DryRuns,
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(CommandBus) private readonly commands: CommandBus,
  ) {}

  /** @throws CampaignError `campaign.report-stale`, and whatever a submission is refused for */
  async execute({ data: { campaignId, report: seen }, context, version }: SubmitForReview): Promise<CampaignView> {
    const { campaigns } = await this.board.tenant(context.tenant);
    const isDraft = campaigns.get(campaignId)?.status === 'draft';
    const shown = isDraft ? await this.shown(context.tenant, campaignId, seen) : {};
    const data = { campaignId, ...shown };
    return this.commands.execute(new RunCampaign({ type: 'SubmitCampaign', data }, context, version));
  }

  private async shown(tenant: string, campaignId: string, seen: string | undefined) {
    const run = await this.runs.fresh(tenant, campaignId);
    if (seen !== undefined && seen !== run.digest)
      throw refusal('campaign.report-stale', '/report', 'not of this draft, or not fresh: make the dry run again');
    return { report: run.digest, summary: summaryOf(run) };
  }
}
