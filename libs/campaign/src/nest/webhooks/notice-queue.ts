import { Inject, Injectable } from '@nestjs/common';
import { decodePosition, type EventRecord, Keyring, nextOffset, type Position, type Tx } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import { type Clock, idFrom } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { LIFE_MS, nextTry, type Notice, type NoticeKind } from '../../notices.js';
import { Duties } from '../duty.js';
import type { Sent, Target } from '../target-door.js';
import { webhookSecret } from './webhook-rows.js';
import type { DeliveryState, DeliveryView } from './webhook.dto.js';

const NOTICES = 'campaign.notices';
/** So long an attempt may take until another instance makes it, ms: the door gives up before. */
const CLAIM_MS = 15_000;
/** So long what has ended can be looked at, ms. */
const KEPT_MS = 7 * 86_400_000;
const SHOWN = 20;
/** In one webhook at most: beyond it notices are given up at once, so that a campaign that goes round in circles fills no disk. */
const WAITING_AT_MOST = 1_000;

/** One attempt that nobody else makes. */
export interface Attempt {
  tenant: string;
  webhookId: string;
  deliveryId: string;
  notice: Notice;
  /** This one included. */
  attempts: number;
  queuedAt: number;
  target: Target;
}

interface AttemptRow {
  delivery_id: string;
  notice: Notice;
  attempts: number;
  queued_at: Date;
  url: string;
}

interface DeliveryRow extends AttemptRow {
  state: DeliveryState;
  next_at: Date;
  ended_at: Date | null;
  failure: string | null;
}

/** The rows of `ops.webhook_delivery`: what is to be told whom, until it was or was given up. */
@Injectable()
export class NoticeQueue {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(Duties) private readonly duties: Duties,
    @Inject(Keyring) private readonly keyring: Keyring,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** How far the log was read. */
  position(): Promise<Position> {
    return this.duties.position(NOTICES);
  }

  advance(to: Position): Promise<void> {
    return this.duties.advance(NOTICES, to);
  }

  /**
   * Queues it for every webhook that wants it and was there when it happened; once, however many instances read the log, as
   * the position of the reading moves in the same transaction.
   * @returns whether there was anybody to tell
   */
  async put(record: EventRecord, kind: NoticeKind, notice: Notice): Promise<boolean> {
    const { tenant, topic, partition, offset } = record;
    return this.databases.actor.inTenant(tenant, async (tx) => {
      const webhooks = await wanting(tx, record, kind);
      if (webhooks.length === 0) return false;
      const at = await this.duties.locked(NOTICES, tx);
      if (nextOffset(at, topic, partition) > offset) return true; // another instance has
      const now = new Date(this.clock.now());
      const ids = webhooks.map((webhookId) => idFrom(webhookId, record.id));
      await tx.query(
        `insert into ops.webhook_delivery
           (tenant, delivery_id, webhook_id, notice, state, attempts, next_at, queued_at, ended_at, failure)
         select $1::text, delivery_id, webhook_id, $4::json, case when is_full then 'given-up' else 'waiting' end, 0,
           $5::timestamptz, $5::timestamptz, case when is_full then $5::timestamptz end,
           case when is_full then 'too many wait' end
         from (select each.*, (select count(*) >= $6 from ops.webhook_delivery d
             where d.tenant = $1 and d.webhook_id = each.webhook_id and d.state = 'waiting') as is_full
           from unnest($2::uuid[], $3::uuid[]) as each (delivery_id, webhook_id)) as new
         on conflict do nothing`,
        [tenant, ids, webhooks, JSON.stringify(notice), now, WAITING_AT_MOST],
      );
      await this.duties.save(NOTICES, { ...at, [`${topic}/${partition}`]: offset + 1 }, tx);
      return true;
    });
  }

  /** What may be tried now, after a look at what is over: webhooks, and when the next of the others is due, ms. */
  async due(tenant: string): Promise<{ webhooks: string[]; next: number | null }> {
    const now = this.clock.now();
    return this.databases.actor.inTenant(tenant, async (tx) => {
      await sweep(tx, tenant, now);
      const rows = await tx.query<{ webhook_id: string; next: Date }>(
        `select d.webhook_id, min(d.next_at) as next from ops.webhook_delivery d
         join ops.webhook w on w.tenant = d.tenant and w.webhook_id = d.webhook_id and w.enabled
         where d.tenant = $1 and d.state = 'waiting' group by d.webhook_id`,
        [tenant],
      );
      const later = rows.map(({ next }) => next.getTime()).filter((at) => at > now);
      return {
        webhooks: rows.filter(({ next }) => next.getTime() <= now).map(({ webhook_id }) => webhook_id),
        next: later.length === 0 ? null : Math.min(...later),
      };
    });
  }

  /** The oldest that is due, to be tried by nobody else for a while: what a crash leaves undone comes up again by itself. */
  async claim(tenant: string, webhookId: string): Promise<Attempt | undefined> {
    const now = this.clock.now();
    return this.databases.actor.inTenant(tenant, async (tx) => {
      const [row] = await tx.query<AttemptRow>(
        `update ops.webhook_delivery d set attempts = attempts + 1, next_at = $4 from ops.webhook w
         where d.tenant = $1 and w.tenant = $1 and w.webhook_id = $2 and w.enabled and d.delivery_id = (
           select delivery_id from ops.webhook_delivery
           where tenant = $1 and webhook_id = $2 and state = 'waiting' and next_at <= $3
           order by queued_at, delivery_id limit 1 for update skip locked)
         returning d.delivery_id, d.notice, d.attempts, d.queued_at, w.url`,
        [tenant, webhookId, new Date(now), new Date(now + CLAIM_MS)],
      );
      if (row === undefined) return undefined;
      const { delivery_id: deliveryId, notice, attempts, queued_at, url } = row;
      const secret = Buffer.from((await this.keyring.secret(webhookSecret(tenant, webhookId), tx)) ?? []).toString();
      return {
        tenant,
        webhookId,
        deliveryId,
        notice,
        attempts,
        queuedAt: queued_at.getTime(),
        target: { url, secret },
      };
    });
  }

  /** What came of it. @returns whether it was given up */
  async settle(attempt: Attempt, { isTaken, failure }: Sent, random: number): Promise<boolean> {
    const now = this.clock.now();
    const at = new Date(now);
    const again = isTaken ? null : nextTry(attempt, now, random);
    const state: DeliveryState = isTaken ? 'delivered' : again === null ? 'given-up' : 'waiting';
    const { tenant, webhookId, deliveryId, attempts } = attempt;
    await this.databases.actor.inTenant(tenant, async (tx) => {
      // The webhook first, as whoever removes it does.
      await tx.query(
        isTaken
          ? 'update ops.webhook set delivered_at = $3 where tenant = $1 and webhook_id = $2'
          : 'update ops.webhook set failed_at = $3, failure = $4 where tenant = $1 and webhook_id = $2',
        [tenant, webhookId, at, ...(isTaken ? [] : [failure])],
      );
      await tx.query(
        `update ops.webhook_delivery set state = $4, next_at = coalesce($5, next_at), ended_at = $6, failure = $7
         where tenant = $1 and delivery_id = $2 and attempts = $3 and state = 'waiting'`,
        [
          ...[tenant, deliveryId, attempts, state],
          again === null ? null : new Date(again),
          state === 'waiting' ? null : at,
          failure,
        ],
      );
    });
    return state === 'given-up';
  }

  /** The newest of one. */
  async newest(tenant: string, webhookId: string): Promise<DeliveryView[]> {
    const rows = await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query<DeliveryRow>(
        `select delivery_id, notice, state, attempts, next_at, ended_at, failure from ops.webhook_delivery
         where tenant = $1 and webhook_id = $2 order by queued_at desc, delivery_id limit ${SHOWN}`,
        [tenant, webhookId],
      ),
    );
    return rows.map((row) => ({
      deliveryId: row.delivery_id,
      noticeId: row.notice.id,
      type: row.notice.type,
      campaignId: row.notice.campaignId,
      at: row.notice.at,
      state: row.state,
      attempts: row.attempts,
      nextAttemptAt: row.state === 'waiting' ? row.next_at.toISOString() : null,
      endedAt: row.ended_at?.toISOString() ?? null,
      failure: row.failure,
    }));
  }
}

async function wanting(tx: Tx, { tenant, topic, partition, offset }: EventRecord, kind: NoticeKind): Promise<string[]> {
  // Locked, so that none is removed between this look and the row that names it.
  const rows = await tx.query<{ webhook_id: string; since: string }>(
    `select webhook_id, since from ops.webhook where tenant = $1 and enabled and $2 = any(kinds)
     order by webhook_id for key share`,
    [tenant, kind],
  );
  const wasThere = (since: string) => nextOffset(decodePosition(since), topic, partition) <= offset;
  return rows.filter(({ since }) => wasThere(since)).map(({ webhook_id }) => webhook_id);
}

/** What has ended long ago goes; what waits for a webhook that is turned off has its day like all others. */
async function sweep(tx: Tx, tenant: string, now: number): Promise<void> {
  await tx.query('select 1 from ops.webhook where tenant = $1 order by webhook_id for key share', [tenant]);
  await tx.query('delete from ops.webhook_delivery where tenant = $1 and ended_at < $2', [
    tenant,
    new Date(now - KEPT_MS),
  ]);
  await tx.query(
    `update ops.webhook_delivery d set state = 'given-up', ended_at = $2, failure = 'turned off' from ops.webhook w
     where d.tenant = $1 and d.state = 'waiting' and d.queued_at < $3
       and w.tenant = $1 and w.webhook_id = d.webhook_id and not w.enabled`,
    [tenant, new Date(now), new Date(now - LIFE_MS)],
  );
}
