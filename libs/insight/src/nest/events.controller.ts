import { Controller, Get, Inject, Query, UseGuards } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import type { Principal } from '#identity/index.js';
import { Caller, Needs, PeopleGuard } from '#identity/nest/identity.module.js';
import { EventsDto, EventsQuery } from './events.dto.js';
import { ReadEvents } from './events.handler.js';
import { maySeePersonal } from './event-view.js';

@Controller('v1/events')
@UseGuards(PeopleGuard)
export class EventsController {
  constructor(@Inject(QueryBus) private readonly queries: QueryBus) {}

  /** The tenant's events from a position, oldest first. Asking again with the answer's `position` goes on. */
  @Get()
  @Needs('event:read')
  events(@Caller() caller: Principal, @Query() query: EventsQuery): Promise<EventsDto> {
    return this.queries.execute(new ReadEvents(caller.tenant, query, maySeePersonal(caller)));
  }
}
