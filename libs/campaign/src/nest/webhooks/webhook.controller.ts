import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, UseGuards } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { EventContext } from '#event-log/index.js';
import type { Principal } from '#identity/index.js';
import { Caller, Context, Needs, PeopleGuard, ShowsSecret } from '#identity/nest/identity.module.js';
import { NeverDry } from '#runtime/nest/runtime.module.js';
import {
  WebhookAdded,
  WebhookDto,
  WebhookList,
  WebhookParams,
  WebhookSecret,
  WebhookShown,
  WebhookTested,
  WebhookView,
} from './webhook.dto.js';
import {
  AddWebhook,
  GetWebhook,
  ListWebhooks,
  RemoveWebhook,
  RenewWebhookSecret,
  ReplaceWebhook,
  TestWebhook,
} from './webhook.handler.js';

/** Who is told when a campaign halts, completes or needs approval. */
@Controller('v1/webhooks')
@UseGuards(PeopleGuard)
export class WebhookController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  /** All webhooks of the tenant, ten at most, in the order in which they were added. */
  @Get()
  @Needs('webhook:read')
  async list(@Caller() { tenant }: Principal): Promise<WebhookList> {
    return { items: await this.queries.execute(new ListWebhooks(tenant)) };
  }

  /** Adds a webhook: what happens to campaigns from now on is posted there as signed JSON (`deploy/webhooks.md`). `secret` signs it and is shown in this answer alone. */
  @Post()
  @Needs('webhook:write')
  @ShowsSecret()
  add(@Body() webhook: WebhookDto, @Context() context: EventContext): Promise<WebhookAdded> {
    return this.commands.execute(new AddWebhook({ ...webhook }, context));
  }

  /** A webhook, how it fares, and what was told there last. */
  @Get(':webhookId')
  @Needs('webhook:read')
  get(@Param() { webhookId }: WebhookParams, @Caller() { tenant }: Principal): Promise<WebhookShown> {
    return this.queries.execute(new GetWebhook(tenant, webhookId));
  }

  /** Says anew where it goes, what is told there, and whether; its key and what waits stay. Repeating the call is harmless. */
  @Put(':webhookId')
  @Needs('webhook:write')
  replace(
    @Param() { webhookId }: WebhookParams,
    @Body() webhook: WebhookDto,
    @Context() context: EventContext,
  ): Promise<WebhookView> {
    return this.commands.execute(new ReplaceWebhook(webhookId, { ...webhook }, context));
  }

  /** Makes a new key of its signatures, which counts from the next message on. */
  @Post(':webhookId/secret')
  @HttpCode(200)
  @Needs('webhook:write')
  @ShowsSecret()
  renewSecret(@Param() { webhookId }: WebhookParams, @Context() context: EventContext): Promise<WebhookSecret> {
    return this.commands.execute(new RenewWebhookSecret(webhookId, context));
  }

  /** Posts a message of type `ping` there, now and once, whether or not it is enabled, and says whether it was taken. */
  @Post(':webhookId/test')
  @HttpCode(200)
  @Needs('webhook:write')
  @NeverDry()
  test(@Param() { webhookId }: WebhookParams, @Caller() { tenant }: Principal): Promise<WebhookTested> {
    return this.commands.execute(new TestWebhook(tenant, webhookId));
  }

  /** Removes it, with what was still to be told there. */
  @Delete(':webhookId')
  @HttpCode(204)
  @Needs('webhook:write')
  remove(@Param() { webhookId }: WebhookParams, @Context() context: EventContext): Promise<void> {
    return this.commands.execute(new RemoveWebhook(webhookId, context));
  }
}
