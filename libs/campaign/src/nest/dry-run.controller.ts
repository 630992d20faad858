import { Controller, Get, Inject, Param, Query, UseGuards } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import type { Principal } from '#identity/index.js';
import { Caller, Needs, PeopleGuard } from '#identity/nest/identity.module.js';
import { CampaignParams } from './campaign.dto.js';
import { DryRunQuery, DryRunView } from './dry-run.dto.js';
import { SimulateCampaign } from './dry-run.handler.js';

@Controller('v1/campaigns')
@UseGuards(PeopleGuard)
export class DryRunController {
  constructor(@Inject(QueryBus) private readonly queries: QueryBus) {}

  /** What a draft would have come to, had it run beside today's campaigns when the polls of the last days came: matches and bytes by the hour, conflicts, devices whose turn never came. */
  @Get(':campaignId/dry-run')
  @Needs('campaign:read')
  simulate(
    @Param() { campaignId }: CampaignParams,
    @Query() { days }: DryRunQuery,
    @Caller() { tenant }: Principal,
  ): Promise<DryRunView> {
    return this.queries.execute(new SimulateCampaign(tenant, campaignId, days));
  }
}
