import { Controller, Get, Inject, Param, Query, UseGuards } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import type { Principal } from '#identity/index.js';
import { Caller, Needs, PeopleGuard } from '#identity/nest/identity.module.js';
import { RequestEnded, SupportsAsOf } from '#runtime/nest/runtime.module.js';
import { maySeePersonal } from './event-view.js';
import { DeviceIdParam, TimelineDto, TimelineQuery } from './timeline.dto.js';
import { ReadTimeline } from './timeline.handler.js';

@Controller('v1/devices')
@UseGuards(PeopleGuard)
export class TimelineController {
  constructor(@Inject(QueryBus) private readonly queries: QueryBus) {}

  /** What happened to a device, in order, polls included. */
  @Get(':id/timeline')
  @Needs('device:read')
  @SupportsAsOf()
  timeline(
    @Caller() caller: Principal,
    @Param() { id }: DeviceIdParam,
    @Query() query: TimelineQuery,
    @RequestEnded() ended: AbortSignal,
  ): Promise<TimelineDto> {
    return this.queries.execute(new ReadTimeline(caller.tenant, id, query, maySeePersonal(caller), ended));
  }
}
