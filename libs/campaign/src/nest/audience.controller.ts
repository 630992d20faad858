import { Controller, Get, Inject, Param, Query, UseGuards } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { permits, type Principal } from '#identity/index.js';
import { Caller, Needs, PeopleGuard } from '#identity/nest/identity.module.js';
import { RequestEnded } from '#runtime/nest/runtime.module.js';
import { AudienceQuery, AudienceView, FitQuery } from './audience.dto.js';
import { CountAudience, TryRule } from './audience.handler.js';
import { ExplainedDeviceParam, ExplainedRuleDto } from './explain.dto.js';

/** Rules that are nowhere kept yet, for who writes them: they say something of what devices told. */
@Controller('v1')
@UseGuards(PeopleGuard)
export class AudienceController {
  constructor(@Inject(QueryBus) private readonly queries: QueryBus) {}

  /** Whom a selector is for, by what the server knows now: how many devices match, do not, or cannot be told; and how that differs from the selector that stands in its place today. */
  @Get('audience')
  @Needs('campaign:write')
  count(
    @Caller() { tenant }: Principal,
    @Query() query: AudienceQuery,
    @RequestEnded() ended: AbortSignal,
  ): Promise<AudienceView> {
    return this.queries.execute(new CountAudience(tenant, query, ended));
  }

  /** What a selector comes to for one device: each condition with what it read, where the caller may see that, and what would have to change. */
  @Get('devices/:id/fit')
  @Needs('campaign:write')
  fit(
    @Caller() caller: Principal,
    @Param() { id }: ExplainedDeviceParam,
    @Query() { selector }: FitQuery,
  ): Promise<ExplainedRuleDto> {
    const maySeePersonal = permits(caller, 'device:write');
    return this.queries.execute(new TryRule(caller.tenant, id, selector, maySeePersonal));
  }
}
