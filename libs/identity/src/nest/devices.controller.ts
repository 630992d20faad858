import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, UseGuards } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { EventContext } from '#event-log/index.js';
import type { Principal } from '../roles.js';
import { Caller, Context } from './caller.js';
import { DeviceFilter, DevicesQuery, EnrolControllerDto, IdParams, LifetimeDto, ReasonDto } from './identity.dto.js';
import { Needs, PeopleGuard } from './people.guard.js';
import { CountDevices, GetDevice, SearchDevices } from './read-identity.handler.js';
import { RunController } from './run-controller.handler.js';
import { RunEnrolment } from './run-enrolment.handler.js';
import { RunHandset } from './run-handset.handler.js';
import { ShowsSecret } from './shows-secret.js';
import { DeviceFacets, DevicesPage, DeviceView, EnrolledController, IssuedCode } from './views.dto.js';

@Controller('v1/devices')
@UseGuards(PeopleGuard)
export class DevicesController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  /** The tenant's devices, in the order of their enrolment; with `q` in that of what it was found in, ids before labels. */
  @Get()
  @Needs('device:read')
  list(@Query() query: DevicesQuery, @Caller() caller: Principal): Promise<DevicesPage> {
    return this.queries.execute(new SearchDevices(caller.tenant, query));
  }

  /** How many of these devices there are of each channel, status and kind. */
  @Get('facets')
  @Needs('device:read')
  async facets(@Query() filter: DeviceFilter, @Caller() caller: Principal): Promise<DeviceFacets> {
    return { items: await this.queries.execute(new CountDevices(caller.tenant, filter)) };
  }

  /** Makes a hawkBit client known. `targetToken` is shown in this answer alone. */
  @Post()
  @Needs('device:write')
  @ShowsSecret()
  enrol(@Body() body: EnrolControllerDto, @Context() context: EventContext): Promise<EnrolledController> {
    const { controllerId, channel, label = controllerId } = body;
    return this.commands.execute(
      new RunController({ type: 'EnrolController', data: { controllerId, channel, label } }, context),
    );
  }

  /** One device's identity. */
  @Get(':id')
  @Needs('device:read')
  get(@Param() { id }: IdParams, @Caller() caller: Principal): Promise<DeviceView> {
    return this.queries.execute(new GetDevice(caller.tenant, id));
  }

  /** Revokes the device's key: refused from the next request on. Repeating the call is harmless. */
  @Post(':id/revoke')
  @HttpCode(200)
  @Needs('device:write')
  revoke(
    @Param() { id: deviceId }: IdParams,
    @Body() { reason }: ReasonDto,
    @Context() context: EventContext,
  ): Promise<DeviceView> {
    return this.commands.execute(new RunHandset({ type: 'RevokeHandset', data: { deviceId, reason } }, context));
  }

  /** Erases what is personal about the device, for ever, and revokes it. Its facts stay, without a name. */
  @Post(':id/forget')
  @HttpCode(200)
  @Needs('device:write')
  forget(
    @Param() { id: deviceId }: IdParams,
    @Body() { reason }: ReasonDto,
    @Context() context: EventContext,
  ): Promise<DeviceView> {
    return this.commands.execute(new RunHandset({ type: 'ForgetHandset', data: { deviceId, reason } }, context));
  }

  /** A new target token of a hawkBit client, also of one that was revoked; the one before it ends. Shown in this answer alone. */
  @Post(':id/target-token')
  @HttpCode(200)
  @Needs('device:write')
  @ShowsSecret()
  token(@Param() { id: deviceId }: IdParams, @Context() context: EventContext): Promise<EnrolledController> {
    return this.commands.execute(new RunController({ type: 'IssueTargetToken', data: { deviceId } }, context));
  }

  /** A code by which the device comes back with a new key and the same id. `code` is shown in this answer alone. */
  @Post(':id/replace')
  @Needs('device:write')
  @ShowsSecret()
  async replace(
    @Param() { id: deviceId }: IdParams,
    @Body() { lifetimeSeconds }: LifetimeDto,
    @Context() context: EventContext,
  ): Promise<IssuedCode | undefined> {
    const data = { deviceId, lifetimeSeconds };
    const [code] = await this.commands.execute(new RunEnrolment({ type: 'IssueReplacement', data }, context));
    return code;
  }
}
