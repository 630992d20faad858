import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { encodePosition, type EventContext, Keyring, PostgresLog, type Tx } from '#event-log/index.js';
import { CommittedLog, Databases } from '#event-log/nest/event-log.module.js';
import { audit } from '#identity/nest/identity.module.js';
import { type Clock, idFrom } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { CampaignError } from '../../errors.js';
import type { NoticeKind } from '../../notices.js';
import type { Target } from '../target-door.js';
import type { WebhookAdded, WebhookView } from './webhook.dto.js';

/** What people say of one. */
export interface Webhook {
  url: string;
  kinds: readonly NoticeKind[];
  enabled: boolean;
}

interface Row {
  webhook_id: string;
  url: string;
  kinds: NoticeKind[];
  enabled: boolean;
  created_at: Date;
  delivered_at: Date | null;
  failed_at: Date | null;
  failure: string | null;
  waiting: number;
  given_up: number;
}

/** In a tenant: each is a connection of its own to somewhere else. */
const AT_MOST = 10;

export const webhookSecret = (tenant: string, webhookId: string) => ({ tenant, purpose: 'webhook', id: webhookId });

/** The rows of `ops.webhook`; the keys of their signatures are in the keyring. */
@Injectable()
export class WebhookRows {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(Keyring) private readonly keyring: Keyring,
    @Inject(PostgresLog) private readonly log: PostgresLog,
    @Inject(CommittedLog) private readonly committed: CommittedLog,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  list(tenant: string): Promise<WebhookView[]> {
    return this.databases.actor.inTenant(tenant, async (tx) => (await rowsOf(tx, tenant)).map(viewOf));
  }

  /** @throws CampaignError `webhook.unknown` */
  get(tenant: string, webhookId: string): Promise<WebhookView> {
    return this.databases.actor.inTenant(tenant, async (tx) => viewOf(await find(tx, tenant, webhookId)));
  }

  /** @throws CampaignError `webhook.unknown` */
  target(tenant: string, webhookId: string): Promise<Target> {
    return this.databases.actor.inTenant(tenant, async (tx) => {
      const { url } = await find(tx, tenant, webhookId);
      return { url, secret: await this.secretOf(tx, tenant, webhookId) };
    });
  }

  /** Given again, it shows what it made the first time. @throws CampaignError `webhook.too-many` */
  async add(context: EventContext, { url, kinds, enabled }: Webhook): Promise<WebhookAdded> {
    const { tenant } = context;
    const webhookId = idFrom(context.commandId, 'webhook');
    const since = encodePosition(await this.committed.heads(['muster.campaign']));
    return this.databases.actor.inTenant(tenant, async (tx) => {
      await tx.query('select pg_advisory_xact_lock(hashtext($1))', [`webhooks ${tenant}`]); // one counts at a time
      const there = await rowsOf(tx, tenant);
      if (!there.some(({ webhook_id }) => webhook_id === webhookId)) {
        if (there.length >= AT_MOST)
          throw new CampaignError('webhook.too-many', { most: AT_MOST }, `a tenant has ${AT_MOST} webhooks at most`);
        await tx.query(
          `insert into ops.webhook (tenant, webhook_id, url, kinds, enabled, since, created_at)
           values ($1, $2, $3, $4, $5, $6, $7)`,
          [tenant, webhookId, url, kinds, enabled, since, new Date(this.clock.now())],
        );
        await this.keyring.putSecret(tx, webhookSecret(tenant, webhookId), newSecret());
        await this.audited(tx, context, 'webhook.add', webhookId, summaryOf({ url, kinds, enabled }));
      }
      const view = viewOf(await find(tx, tenant, webhookId));
      return { ...view, secret: await this.secretOf(tx, tenant, webhookId) };
    });
  }

  /** Repeating it is harmless. @throws CampaignError `webhook.unknown` */
  async replace(context: EventContext, webhookId: string, webhook: Webhook): Promise<WebhookView> {
    const { tenant } = context;
    const { url, kinds, enabled } = webhook;
    return this.databases.actor.inTenant(tenant, async (tx) => {
      const before = await find(tx, tenant, webhookId);
      if (summaryOf(before) !== summaryOf(webhook) || before.url !== url) {
        await tx.query(
          'update ops.webhook set url = $3, kinds = $4, enabled = $5 where tenant = $1 and webhook_id = $2',
          [tenant, webhookId, url, kinds, enabled],
        );
        await this.audited(tx, context, 'webhook.replace', webhookId, summaryOf(webhook));
      }
      return viewOf(await find(tx, tenant, webhookId));
    });
  }

  /** @returns the new key of its signatures. @throws CampaignError `webhook.unknown` */
  async renewSecret(context: EventContext, webhookId: string): Promise<string> {
    const { tenant } = context;
    const secret = newSecret();
    await this.databases.actor.inTenant(tenant, async (tx) => {
      await find(tx, tenant, webhookId);
      await this.keyring.putSecret(tx, webhookSecret(tenant, webhookId), secret);
      await this.audited(tx, context, 'webhook.secret', webhookId, 'a new key of its signatures');
    });
    return secret.toString('utf8');
  }

  /** With what was still to be told. @throws CampaignError `webhook.unknown` */
  async remove(context: EventContext, webhookId: string): Promise<void> {
    const { tenant } = context;
    await this.databases.actor.inTenant(tenant, async (tx) => {
      const gone = await tx.query(
        'delete from ops.webhook where tenant = $1 and webhook_id = $2 returning webhook_id',
        [tenant, webhookId],
      );
      if (gone.length === 0) throw unknown(webhookId);
      await tx.query('delete from ops.webhook_delivery where tenant = $1 and webhook_id = $2', [tenant, webhookId]);
      await this.keyring.dropSecret(tx, webhookSecret(tenant, webhookId));
      await this.audited(tx, context, 'webhook.remove', webhookId, 'nothing is told there any more');
    });
  }

  private audited(tx: Tx, context: EventContext, operation: string, id: string, summary: string): Promise<void> {
    return audit(this.log, tx, context, { operation, object: { kind: 'webhook', id }, summary });
  }

  private async secretOf(tx: Tx, tenant: string, webhookId: string): Promise<string> {
    const secret = await this.keyring.secret(webhookSecret(tenant, webhookId), tx);
    return Buffer.from(secret ?? []).toString('utf8');
  }
}

const unknown = (webhookId: string): CampaignError =>
  new CampaignError('webhook.unknown', { webhookId }, 'no such webhook');

const newSecret = (): Buffer => Buffer.from(randomBytes(32).toString('base64url'));

/** Not the whole address: some systems have a secret in its path. */
const summaryOf = ({ url, kinds, enabled }: Webhook): string =>
  `to ${new URL(url).origin}: ${kinds.join(', ')}${enabled ? '' : ', turned off'}`;

async function rowsOf(tx: Tx, tenant: string, webhookId: string | null = null): Promise<Row[]> {
  return tx.query<Row>(
    `select w.webhook_id, w.url, w.kinds, w.enabled, w.created_at, w.delivered_at, w.failed_at, w.failure,
       count(d.delivery_id) filter (where d.state = 'waiting') as waiting,
       count(d.delivery_id) filter (where d.state = 'given-up') as given_up
     from ops.webhook w left join ops.webhook_delivery d on d.tenant = w.tenant and d.webhook_id = w.webhook_id
     where w.tenant = $1 and ($2::uuid is null or w.webhook_id = $2)
     group by w.tenant, w.webhook_id order by w.created_at, w.webhook_id`,
    [tenant, webhookId],
  );
}

async function find(tx: Tx, tenant: string, webhookId: string): Promise<Row> {
  const [row] = await rowsOf(tx, tenant, webhookId);
  if (row === undefined) throw unknown(webhookId);
  return row;
}

const viewOf = (row: Row): WebhookView => ({
  webhookId: row.webhook_id,
  url: row.url,
  kinds: row.kinds,
  enabled: row.enabled,
  createdAt: row.created_at.toISOString(),
  lastDeliveredAt: row.delivered_at?.toISOString() ?? null,
  lastFailedAt: row.failed_at?.toISOString() ?? null,
  lastFailure: row.failure,
  waiting: row.waiting,
  givenUp: row.given_up,
});
