import { Controller, Get, Inject, Param, Query, UseGuards } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { permits, type Principal } from '#identity/index.js';
import { Caller, Needs, PeopleGuard } from '#identity/nest/identity.module.js';
import { SupportsAsOf } from '#runtime/nest/runtime.module.js';
import { ExplainedDeviceParam, ExplainQuery, ExplanationDto } from './explain.dto.js';
import { ExplainDevice } from './explain.handler.js';

@Controller('v1/devices')
@UseGuards(PeopleGuard)
export class ExplainController {
  constructor(@Inject(QueryBus) private readonly queries: QueryBus) {}

  /**
   * Why a device is offered what a campaign brings, or is not: every gate and every condition, with what each looked at and who
   * says so. The values that a device told of itself, and what its conditions come to by them, are shown to who acts on devices.
   */
  @Get(':id/explain')
  @Needs('device:read')
  @SupportsAsOf()
  explain(
    @Caller() caller: Principal,
    @Param() { id }: ExplainedDeviceParam,
    @Query() { campaign: campaignId, as_of: asOf }: ExplainQuery,
  ): Promise<ExplanationDto> {
    const maySeePersonal = permits(caller, 'device:write');
    return this.queries.execute(
      new ExplainDevice(caller.tenant, id, { campaignId, asOf }, maySeePersonal),
    ) as Promise<ExplanationDto>;
  }
}
