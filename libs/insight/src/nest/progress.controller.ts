import { Controller, Get, Inject, Param, Query, UseGuards } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import type { Principal } from '#identity/index.js';
import { Caller, Needs, PeopleGuard } from '#identity/nest/identity.module.js';
import { SupportsAsOf } from '#runtime/nest/runtime.module.js';
import { AsOfQuery, CampaignIdParam, ProgressDto } from './progress.dto.js';
import { ReadProgress } from './progress.handler.js';
import { RequestEnded } from './request-ended.js';

@Controller('v1/campaigns')
@UseGuards(PeopleGuard)
export class ProgressController {
  constructor(@Inject(QueryBus) private readonly queries: QueryBus) {}

  /** How far the devices came in a campaign, and where those stand that are not going on. */
  @Get(':id/progress')
  @Needs('campaign:read')
  @SupportsAsOf()
  progress(
    @Caller() { tenant }: Principal,
    @Param() { id }: CampaignIdParam,
    @Query() { as_of }: AsOfQuery,
    @RequestEnded() ended: AbortSignal,
  ): Promise<ProgressDto> {
    return this.queries.execute(new ReadProgress(tenant, id, as_of, ended));
  }
}
