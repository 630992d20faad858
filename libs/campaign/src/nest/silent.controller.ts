import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, Query, UseGuards } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { EventContext } from '#event-log/index.js';
import type { Principal } from '#identity/index.js';
import { Caller, Context, Needs, PeopleGuard, ShowsSecret } from '#identity/nest/identity.module.js';
import { NeverDry } from '#runtime/nest/runtime.module.js';
import { CampaignParams } from './campaign.dto.js';
import {
  SilentPage,
  SilentQuery,
  WakeSilentDto,
  WakeTargetDto,
  WakeTargetSet,
  WakeTargetView,
  WokenView,
} from './silent.dto.js';
import { GetWakeTarget, ListSilent, RemoveWakeTarget, SetWakeTarget, WakeSilent } from './silent.handler.js';
import { ChannelParams } from './vocabulary.dto.js';

/** Devices that are not heard of, and how they are woken. */
@Controller('v1')
@UseGuards(PeopleGuard)
export class SilentController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  /** Devices of the campaign's channel, in its wave and not held out, that have not asked for days, in the order of their enrolment; where the server compares, those that do not fit are left out. */
  @Get('campaigns/:campaignId/silent')
  @Needs('campaign:read')
  silent(
    @Param() { campaignId }: CampaignParams,
    @Query() page: SilentQuery,
    @Caller() { tenant }: Principal,
  ): Promise<SilentPage> {
    return this.queries.execute(new ListSilent(tenant, campaignId, page));
  }

  /** Wakes them, by a message to the channel's wake target for each that says "poll now" and nothing else; as many as its rate allows. */
  @Post('campaigns/:campaignId/wake')
  @HttpCode(200)
  @Needs('campaign:operate')
  @NeverDry()
  wake(
    @Param() { campaignId }: CampaignParams,
    @Body() wish: WakeSilentDto,
    @Context() context: EventContext,
  ): Promise<WokenView> {
    return this.commands.execute(new WakeSilent(campaignId, wish, context));
  }

  /** Where the wakes of a channel go. */
  @Get('channels/:channel/wake')
  @Needs('key:read')
  target(@Param() { channel }: ChannelParams, @Caller() { tenant }: Principal): Promise<WakeTargetView> {
    return this.queries.execute(new GetWakeTarget(tenant, channel));
  }

  /** Says where the wakes of a channel go: a gateway that reaches its devices. `secret` signs them and is shown in this answer alone. */
  @Put('channels/:channel/wake')
  @Needs('key:write')
  @ShowsSecret()
  setTarget(
    @Param() { channel }: ChannelParams,
    @Body() { url, perMinute }: WakeTargetDto,
    @Context() context: EventContext,
  ): Promise<WakeTargetSet> {
    return this.commands.execute(new SetWakeTarget(channel, { url, perMinute }, context));
  }

  /** The wakes of the channel go nowhere any more. Repeating the call is harmless. */
  @Delete('channels/:channel/wake')
  @HttpCode(204)
  @Needs('key:write')
  removeTarget(@Param() { channel }: ChannelParams, @Context() context: EventContext): Promise<void> {
    return this.commands.execute(new RemoveWakeTarget(channel, context));
  }
}
