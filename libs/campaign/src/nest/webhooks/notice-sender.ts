import { Inject, Injectable } from '@nestjs/common';
import { Tenants } from '#identity/nest/identity.module.js';
import { type Log, pause } from '#runtime/index.js';
import { LOG } from '#runtime/nest/runtime.module.js';
import { BackgroundLoop } from '../background-loop.js';
import { TargetDoor } from '../target-door.js';
import { DueTenants } from './due-tenants.js';
import { type Attempt, NoticeQueue } from './notice-queue.js';

const TICK_MS = 250;
const RETRY_MS = 1_000;
/** How often all tenants are looked at: what another instance has queued, and left behind when it ended. */
const ALL_EVERY_MS = 30_000;
/** Webhooks that are told something at one time. */
const AT_ONCE = 200;

export const DELIVERY_HEADER = 'muster-delivery';

/**
 * Tells what is queued: to each webhook one thing after the other, to all of them side by side, so that one that does not
 * answer holds up itself alone. Several instances may run; after a crash something may be told twice.
 */
@Injectable()
export class NoticeSender extends BackgroundLoop {
  /** By webhook. */
  private readonly telling = new Map<string, Promise<void>>();
  private allAt = -Infinity;

  constructor(
    @Inject(Tenants) private readonly tenants: Tenants,
    @Inject(NoticeQueue) private readonly queue: NoticeQueue,
    @Inject(DueTenants) private readonly due: DueTenants,
    @Inject(TargetDoor) private readonly door: TargetDoor,
    @Inject(LOG) private readonly lines: Log,
  ) {
    super();
  }

  protected async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.lookAtAll();
        for (const tenant of this.due.take()) await this.begin(tenant, signal);
      } catch (err) {
        this.allAt = -Infinity; // whoever was taken and not looked at
        this.lines.warn('webhook.retry', { retryInMs: RETRY_MS, err });
        await pause(RETRY_MS, signal);
      }
      await pause(TICK_MS, signal);
    }
    await Promise.all(this.telling.values());
  }

  /** Not the port's clock: a test that moves it does not make this process look sooner. */
  private async lookAtAll(): Promise<void> {
    if (performance.now() - this.allAt < ALL_EVERY_MS) return;
    for (const { id } of await this.tenants.list()) this.due.add(id);
    this.allAt = performance.now();
  }

  private async begin(tenant: string, signal: AbortSignal): Promise<void> {
    const { webhooks, next } = await this.queue.due(tenant);
    if (next !== null) this.due.add(tenant, next);
    for (const webhookId of webhooks) {
      if (this.telling.has(webhookId)) continue; // looks again when it has come to its end
      if (this.telling.size >= AT_ONCE) return this.due.add(tenant);
      const telling = this.tell(tenant, webhookId, signal).finally(() => {
        this.telling.delete(webhookId);
        this.due.add(tenant);
      });
      this.telling.set(webhookId, telling);
    }
  }

  /** All that is due, or until one is not taken: the others have their turn then. Never rejects. */
  private async tell(tenant: string, webhookId: string, signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        const attempt = await this.queue.claim(tenant, webhookId);
        if (attempt === undefined) return;
        if (!(await this.attempt(attempt, signal))) return;
      }
    } catch (err) {
      this.lines.warn('webhook.retry', { webhookId, err });
      await pause(RETRY_MS, signal);
    }
  }

  /** @returns whether it was taken */
  private async attempt(attempt: Attempt, signal: AbortSignal): Promise<boolean> {
    const { tenant, webhookId, deliveryId, notice, attempts, target } = attempt;
    const headers = { [DELIVERY_HEADER]: deliveryId };
    const sent = await this.door.post(target, JSON.stringify(notice), { headers, signal });
    if (signal.aborted && !sent.isTaken) return false; // cut off by us: it comes up again when the claim has lapsed
    const isGivenUp = await this.queue.settle(attempt, sent, Math.random());
    const { failure } = sent;
    if (isGivenUp) this.lines.warn('webhook.given-up', { tenant, webhookId, deliveryId, attempts, failure });
    else if (failure !== null) this.lines.info('webhook.failed', { tenant, webhookId, deliveryId, attempts, failure });
    return sent.isTaken;
  }
}
