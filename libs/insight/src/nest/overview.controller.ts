import { Controller, Get, Inject, UseGuards } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import type { Principal } from '#identity/index.js';
import { Caller, Needs, PeopleGuard } from '#identity/nest/identity.module.js';
import { OverviewDto } from './overview.dto.js';
import { ReadOverview } from './overview.handler.js';

@Controller('v1/overview')
@UseGuards(PeopleGuard)
export class OverviewController {
  constructor(@Inject(QueryBus) private readonly queries: QueryBus) {}

  /** What goes on and what waits: live campaigns, their newest failures, campaigns that wait for somebody, how far the read models are behind. */
  @Get()
  @Needs('campaign:read')
  overview(@Caller() { tenant }: Principal): Promise<OverviewDto> {
    return this.queries.execute(new ReadOverview(tenant));
  }
}
