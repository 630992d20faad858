import { Controller, Get, Inject, Param, Query, UseGuards } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import type { Principal } from '#identity/index.js';
import { Caller, Needs, PeopleGuard } from '#identity/nest/identity.module.js';
import { RequestEnded, SupportsAsOf } from '#runtime/nest/runtime.module.js';
import { ListCampaignDevices, ReadRate } from './campaign-devices.handler.js';
import {
  AsOfQuery,
  CampaignDevicesPage,
  CampaignDevicesQuery,
  CampaignIdParam,
  ProgressDto,
  RateDto,
  RateQuery,
} from './progress.dto.js';
import { ReadProgress } from './progress.handler.js';

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

  /** The devices of a campaign that came so far and no further, or that are not going on for a reason: who is behind each number of the progress. */
  @Get(':id/devices')
  @Needs('device:read')
  @SupportsAsOf()
  devices(
    @Caller() { tenant }: Principal,
    @Param() { id }: CampaignIdParam,
    @Query() query: CampaignDevicesQuery,
    @RequestEnded() ended: AbortSignal,
  ): Promise<CampaignDevicesPage> {
    return this.queries.execute(new ListCampaignDevices(tenant, id, query, ended));
  }

  /** How many devices came to each step when: points of equal width, for a chart. */
  @Get(':id/rate')
  @Needs('campaign:read')
  @SupportsAsOf()
  rate(
    @Caller() { tenant }: Principal,
    @Param() { id }: CampaignIdParam,
    @Query() query: RateQuery,
    @RequestEnded() ended: AbortSignal,
  ): Promise<RateDto> {
    return this.queries.execute(new ReadRate(tenant, id, query, ended));
  }
}
