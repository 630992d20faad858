import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, UseGuards } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { EventContext } from '#event-log/index.js';
import type { Principal } from '#identity/index.js';
import { Caller, Context, Needs, PeopleGuard } from '#identity/nest/identity.module.js';
import { PageQuery } from '#runtime/nest/runtime.module.js';
import { ContentParams, PublishContentDto, WithdrawContentDto } from './content.dto.js';
import { ContentPage, ContentView } from './content-view.dto.js';
import { getContent, listContents } from './read-campaign.handler.js';
import { RunContent } from './run-content.handler.js';

@Controller('v1/contents')
@UseGuards(PeopleGuard)
export class ContentController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  /** Publishes a finished upload as a content, which gets the upload's id. Repeating the call is harmless. */
  @Post()
  @Needs('content:write')
  publish(@Body() data: PublishContentDto, @Context() context: EventContext): Promise<ContentView> {
    return this.commands.execute(new RunContent({ type: 'PublishUpload', data }, context));
  }

  /** The tenant's contents, newest first. */
  @Get()
  @Needs('content:read')
  list(@Query() page: PageQuery, @Caller() { tenant }: Principal): Promise<ContentPage> {
    return this.queries.execute(listContents(tenant, page));
  }

  @Get(':contentId')
  @Needs('content:read')
  get(@Param() { contentId }: ContentParams, @Caller() { tenant }: Principal): Promise<ContentView> {
    return this.queries.execute(getContent(tenant, contentId));
  }

  /** Takes a content back: no handset gets it from now on, running transfers stop. Repeating the call is harmless. */
  @Post(':contentId/withdraw')
  @HttpCode(200)
  @Needs('content:write')
  withdraw(
    @Param() { contentId }: ContentParams,
    @Body() { reason }: WithdrawContentDto,
    @Context() context: EventContext,
  ): Promise<ContentView> {
    return this.commands.execute(new RunContent({ type: 'WithdrawContent', data: { contentId, reason } }, context));
  }
}
