import { Body, Controller, Get, HttpCode, Inject, Param, Post, Put, UseGuards } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { EventContext } from '#event-log/index.js';
import type { Principal } from '#identity/index.js';
import { Caller, Context, Needs, PeopleGuard, ShowsSecret } from '#identity/nest/identity.module.js';
import { CapsDto } from './campaign-settings.dto.js';
import { getCaps, getKeys, getReview, getRules, getSchema, listChannels } from './read-campaign.handler.js';
import { AddChannel, RotateKeys } from './run-channel.handler.js';
import { RunVocabulary } from './run-vocabulary.handler.js';
import { ChannelMade, ChannelPage, KeyPage, RuleSetView, SchemaView } from './vocabulary-view.dto.js';
import { ChannelDto, ChannelParams, ReviewPolicyDto, RotateKeysDto, RuleSetDto, SchemaDto } from './vocabulary.dto.js';

/** What a tenant's handsets speak of, who they are grouped with, and by which keys they trust us. */
@Controller('v1')
@UseGuards(PeopleGuard)
export class VocabularyController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  /** The attribute schema in force; version 0 before the first. */
  @Get('schema')
  @Needs('schema:read')
  schema(@Caller() { tenant }: Principal): Promise<SchemaView> {
    return this.queries.execute(getSchema(tenant));
  }

  /** Publishes the next attribute schema, which may only add. Its `version` says which it follows. */
  @Put('schema')
  @Needs('schema:write')
  publishSchema(@Body() schema: SchemaDto, @Context() context: EventContext): Promise<SchemaView> {
    const data = { schema: { ...schema } };
    return this.commands.execute(new RunVocabulary<SchemaView>({ type: 'PublishSchema', data }, context));
  }

  /** The rules in force on a channel. */
  @Get('rules/:channel')
  @Needs('rule:read')
  rules(@Param() { channel }: ChannelParams, @Caller() { tenant }: Principal): Promise<RuleSetView> {
    return this.queries.execute(getRules(tenant, channel));
  }

  /** Publishes the next rule set of a channel. Its `version` says which it follows. */
  @Put('rules/:channel')
  @Needs('rule:write')
  publishRules(
    @Param() { channel }: ChannelParams,
    @Body() rules: RuleSetDto,
    @Context() context: EventContext,
  ): Promise<RuleSetView> {
    const data = { channel, rules: { ...rules } };
    return this.commands.execute(new RunVocabulary<RuleSetView>({ type: 'PublishRules', data }, context));
  }

  /** How many people have to approve a campaign. */
  @Get('review')
  @Needs('review:read')
  review(@Caller() { tenant }: Principal): Promise<ReviewPolicyDto> {
    return this.queries.execute(getReview(tenant));
  }

  /** Sets how many people, other than its authors, have to approve a campaign before it is scheduled. */
  @Put('review')
  @Needs('review:write')
  setReview(@Body() { approvals }: ReviewPolicyDto, @Context() context: EventContext): Promise<ReviewPolicyDto> {
    const data = { approvals };
    return this.commands.execute(new RunVocabulary<ReviewPolicyDto>({ type: 'SetReviewPolicy', data }, context));
  }

  /** What all campaigns together may take of the network. */
  @Get('caps')
  @Needs('cap:read')
  caps(@Caller() { tenant }: Principal): Promise<CapsDto> {
    return this.queries.execute(getCaps(tenant));
  }

  /** Sets what all campaigns together may take of the network. */
  @Put('caps')
  @Needs('cap:write')
  setCaps(@Body() caps: CapsDto, @Context() context: EventContext): Promise<CapsDto> {
    return this.commands.execute(new RunVocabulary<CapsDto>({ type: 'SetNetworkCaps', data: { ...caps } }, context));
  }

  /** The tenant's channels. */
  @Get('channels')
  @Needs('campaign:read')
  async channels(@Caller() { tenant }: Principal): Promise<ChannelPage> {
    return { items: await this.queries.execute(listChannels(tenant)), next: null };
  }

  /** Makes a channel with a repository of its own. `passphrase` opens its offline keys and is shown in this answer alone. */
  @Post('channels')
  @Needs('key:write')
  @ShowsSecret()
  addChannel(@Body() { channel }: ChannelDto, @Context() context: EventContext): Promise<ChannelMade> {
    return this.commands.execute(new AddChannel(channel, context));
  }

  /** Keys of a channel's repository, by role: which, until when, and what is due. */
  @Get('keys/:channel')
  @Needs('key:read')
  async keys(@Param() { channel }: ChannelParams, @Caller() { tenant }: Principal): Promise<KeyPage> {
    return { items: await this.queries.execute(getKeys(tenant, channel)), next: null };
  }

  /** Replaces the keys of a role; for root and targets this renews their files, too. */
  @Post('keys/:channel/rotate')
  @HttpCode(200)
  @Needs('key:write')
  async rotate(
    @Param() { channel }: ChannelParams,
    @Body() data: RotateKeysDto,
    @Context() context: EventContext,
  ): Promise<KeyPage> {
    return { items: await this.commands.execute(new RotateKeys({ channel, ...data }, context)), next: null };
  }
}
