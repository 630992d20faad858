import { Body, Controller, Get, Inject, Param, Put, UseGuards } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { EventContext } from '#event-log/index.js';
import type { Principal } from '#identity/index.js';
import { Caller, Context, Needs, PeopleGuard } from '#identity/nest/identity.module.js';
import { DeviceAttributesView, DeviceParams, KeepAttributesDto } from './kept.dto.js';
import { DescribeDevice, GetAttributes } from './kept.handler.js';

/** What is known of a device where the server compares it. */
@Controller('v1/devices')
@UseGuards(PeopleGuard)
export class KeptController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  /** What is kept of the device, each value with its source. */
  @Get(':id/attributes')
  @Needs('device:read')
  get(@Param() { id }: DeviceParams, @Caller() { tenant }: Principal): Promise<DeviceAttributesView> {
    return this.queries.execute(new GetAttributes(tenant, id));
  }

  /** Keeps attributes of the device for the server's comparison, merged with what is kept: `null` removes one. What the device tells of itself goes before, unless the schema prefers what is kept. */
  @Put(':id/attributes')
  @Needs('device:write')
  keep(
    @Param() { id }: DeviceParams,
    @Body() { attributes }: KeepAttributesDto,
    @Context() context: EventContext,
  ): Promise<DeviceAttributesView> {
    return this.commands.execute(new DescribeDevice(id, { ...attributes }, context));
  }
}
