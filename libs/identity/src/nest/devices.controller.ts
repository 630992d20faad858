import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, UseGuards } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { EventContext } from '#event-log/index.js';
import { PageQuery } from '#runtime/nest/runtime.module.js';
import type { Principal } from '../roles.js';
import { Caller, Context } from './caller.js';
import { EnrolControllerDto, IdParams, LifetimeDto, ReasonDto } from './identity.dto.js';
import { Needs, PeopleGuard } from './people.guard.js';
import { GetDevice, listDevices } from './read-identity.handler.js';
import { RunController } from './run-controller.handler.js';
import { RunEnrolment } from './run-enrolment.handler.js';
import { RunHandset } from './run-handset.handler.js';
import { ShowsSecret } from './shows-secret.js';
import { DevicesPage, DeviceView, EnrolledController, IssuedCode } from './views.dto.js';

@Controller('v1/devices')
@UseGuards(PeopleGuard)
export class DevicesController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  /** The tenant's devices, in the order of their enrolment. */
  @Get()
  @Needs('device:read')
  list(@Query() page: PageQuery, @Caller() caller: Principal): Promise<DevicesPage> {
    return this.queries.execute(listDevices(caller.tenant, page));
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
