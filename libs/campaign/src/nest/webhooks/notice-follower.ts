import { Inject, Injectable } from '@nestjs/common';
import { type EventRecord, follow, type Position, type PostgresLog, type StandsAt } from '#event-log/index.js';
import { TailLog } from '#event-log/nest/event-log.module.js';
import { type Log, pause } from '#runtime/index.js';
import { LOG } from '#runtime/nest/runtime.module.js';
import { noticeKindOf, noticeOf } from '../../notices.js';
import { BackgroundLoop } from '../background-loop.js';
import { LiveBoard } from '../live-board.js';
import { DueTenants } from './due-tenants.js';
import { NoticeQueue } from './notice-queue.js';

const RETRY_MS = 1_000;

/**
 * Process manager: what happens to campaigns is queued for the webhooks that want it. It begins with the log: what stood
 * there before a webhook was added is not for that one. By itself, so that a flood of handsets' facts does not hold it up.
 */
@Injectable()
export class NoticeFollower extends BackgroundLoop {
  constructor(
    @Inject(TailLog) private readonly log: PostgresLog,
    @Inject(NoticeQueue) private readonly queue: NoticeQueue,
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(DueTenants) private readonly due: DueTenants,
    @Inject(LOG) private readonly lines: Log,
  ) {
    super();
  }

  protected async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted)
      try {
        const from = await this.queue.position();
        // Where it stands FollowUp stands, too, and has a gauge and an alert for it.
        const onStanding = (_: readonly StandsAt[], came?: StandsAt) => {
          if (came !== undefined) this.lines.error('webhook.stands', { ...came });
        };
        const options = { topics: ['muster.campaign'] as const, from, signal, onStanding };
        await follow(this.log, options, (batch, after) => this.handle(batch, after));
      } catch (err) {
        this.lines.warn('webhook.retry', { retryInMs: RETRY_MS, err });
        await pause(RETRY_MS, signal);
      }
  }

  private async handle(batch: readonly EventRecord[], after: Position): Promise<void> {
    for (const record of batch) {
      const kind = noticeKindOf(record);
      if (kind === undefined) continue;
      const { campaigns } = await this.board.tenant(record.tenant);
      const isQueued = await this.queue.put(
        record,
        kind,
        noticeOf(record, kind, campaigns.get(record.subject)?.settings?.name),
      );
      if (isQueued) this.due.add(record.tenant);
    }
    await this.queue.advance(after);
  }
}
