import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler, type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { EventContext } from '#event-log/index.js';
import { type Clock, instant, newId } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { TargetDoor } from '../target-door.js';
import { DueTenants } from './due-tenants.js';
import { NoticeQueue } from './notice-queue.js';
import { DELIVERY_HEADER } from './notice-sender.js';
import { type Webhook, WebhookRows } from './webhook-rows.js';
import type { WebhookAdded, WebhookSecret, WebhookShown, WebhookTested, WebhookView } from './webhook.dto.js';

/** One more place that is told what happens to campaigns. */
export class AddWebhook extends Command<WebhookAdded> {
  constructor(
    readonly webhook: Webhook,
    readonly context: EventContext,
  ) {
    super();
  }
}

@CommandHandler(AddWebhook)
export class AddWebhookHandler implements ICommandHandler<AddWebhook> {
  constructor(
    @Inject(WebhookRows) private readonly rows: WebhookRows,
    @Inject(TargetDoor) private readonly door: TargetDoor,
  ) {}

  /** @throws CampaignError `webhook.url`, `webhook.too-many` */
  async execute({ webhook, context }: AddWebhook): Promise<WebhookAdded> {
    return this.rows.add(context, { ...webhook, url: this.door.check(webhook.url, 'webhook.url') });
  }
}

export class ReplaceWebhook extends Command<WebhookView> {
  constructor(
    readonly webhookId: string,
    readonly webhook: Webhook,
    readonly context: EventContext,
  ) {
    super();
  }
}

@CommandHandler(ReplaceWebhook)
export class ReplaceWebhookHandler implements ICommandHandler<ReplaceWebhook> {
  constructor(
    @Inject(WebhookRows) private readonly rows: WebhookRows,
    @Inject(TargetDoor) private readonly door: TargetDoor,
    @Inject(DueTenants) private readonly due: DueTenants,
  ) {}

  /** @throws CampaignError `webhook.unknown`, `webhook.url` */
  async execute({ webhookId, webhook, context }: ReplaceWebhook): Promise<WebhookView> {
    await this.rows.get(context.tenant, webhookId);
    const checked = { ...webhook, url: this.door.check(webhook.url, 'webhook.url') };
    const view = await this.rows.replace(context, webhookId, checked);
    this.due.add(context.tenant); // it may have been turned on
    return view;
  }
}

/** A new key of its signatures. */
export class RenewWebhookSecret extends Command<WebhookSecret> {
  constructor(
    readonly webhookId: string,
    readonly context: EventContext,
  ) {
    super();
  }
}

@CommandHandler(RenewWebhookSecret)
export class RenewWebhookSecretHandler implements ICommandHandler<RenewWebhookSecret> {
  constructor(@Inject(WebhookRows) private readonly rows: WebhookRows) {}

  /** @throws CampaignError `webhook.unknown` */
  async execute({ webhookId, context }: RenewWebhookSecret): Promise<WebhookSecret> {
    return { webhookId, secret: await this.rows.renewSecret(context, webhookId) };
  }
}

export class RemoveWebhook extends Command<void> {
  constructor(
    readonly webhookId: string,
    readonly context: EventContext,
  ) {
    super();
  }
}

@CommandHandler(RemoveWebhook)
export class RemoveWebhookHandler implements ICommandHandler<RemoveWebhook> {
  constructor(@Inject(WebhookRows) private readonly rows: WebhookRows) {}

  /** @throws CampaignError `webhook.unknown` */
  execute({ webhookId, context }: RemoveWebhook): Promise<void> {
    return this.rows.remove(context, webhookId);
  }
}

/** One message that says nothing, now and once. */
export class TestWebhook extends Command<WebhookTested> {
  constructor(
    readonly tenant: string,
    readonly webhookId: string,
  ) {
    super();
  }
}

@CommandHandler(TestWebhook)
export class TestWebhookHandler implements ICommandHandler<TestWebhook> {
  constructor(
    @Inject(WebhookRows) private readonly rows: WebhookRows,
    @Inject(TargetDoor) private readonly door: TargetDoor,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** @throws CampaignError `webhook.unknown` */
  async execute({ tenant, webhookId }: TestWebhook): Promise<WebhookTested> {
    const target = await this.rows.target(tenant, webhookId);
    const id = newId();
    const body = JSON.stringify({ id, type: 'ping', tenant, at: instant(this.clock.now()) });
    return this.door.post(target, body, { headers: { [DELIVERY_HEADER]: id } });
  }
}

export class ListWebhooks extends Query<WebhookView[]> {
  constructor(readonly tenant: string) {
    super();
  }
}

@QueryHandler(ListWebhooks)
export class ListWebhooksHandler implements IQueryHandler<ListWebhooks> {
  constructor(@Inject(WebhookRows) private readonly rows: WebhookRows) {}

  execute({ tenant }: ListWebhooks): Promise<WebhookView[]> {
    return this.rows.list(tenant);
  }
}

export class GetWebhook extends Query<WebhookShown> {
  constructor(
    readonly tenant: string,
    readonly webhookId: string,
  ) {
    super();
  }
}

@QueryHandler(GetWebhook)
export class GetWebhookHandler implements IQueryHandler<GetWebhook> {
  constructor(
    @Inject(WebhookRows) private readonly rows: WebhookRows,
    @Inject(NoticeQueue) private readonly queue: NoticeQueue,
  ) {}

  /** @throws CampaignError `webhook.unknown` */
  async execute({ tenant, webhookId }: GetWebhook): Promise<WebhookShown> {
    const view = await this.rows.get(tenant, webhookId);
    return { ...view, deliveries: await this.queue.newest(tenant, webhookId) };
  }
}

export const webhookCommands = [
  AddWebhookHandler,
  ReplaceWebhookHandler,
  RenewWebhookSecretHandler,
  RemoveWebhookHandler,
  TestWebhookHandler,
];
export const webhookQueries = [GetWebhookHandler, ListWebhooksHandler];
