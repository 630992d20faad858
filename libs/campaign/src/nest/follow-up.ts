import { Inject, Injectable } from '@nestjs/common';
import { Gauge, register } from 'prom-client';
import { type EventRecord, follow, type Position, type PostgresLog, type StandsAt } from '#event-log/index.js';
import { TailLog } from '#event-log/nest/event-log.module.js';
import { type Log, pause } from '#runtime/index.js';
import { LOG } from '#runtime/nest/runtime.module.js';
import { BackgroundLoop } from './background-loop.js';
import { Consequences } from './consequences.js';
import { Duties } from './duty.js';

const DUTY = 'campaign.follow-up';
const RETRY_MS = 1_000;
const STANDING = 'muster_follow_up_standing';

/** A second application in a process takes it over. */
function standingGauge(): Gauge<'topic' | 'partition' | 'fault'> {
  register.removeSingleMetric(STANDING);
  return new Gauge({
    name: STANDING,
    help: 'Partitions in which nothing follows from events any more, because one cannot be read.',
    labelNames: ['topic', 'partition', 'fault'],
  });
}

/**
 * Process manager: what must happen because something happened. Reads the log from its own position, and orders by
 * inbox items whose ids follow from their cause; so it may read a record twice, and several instances may run.
 */
@Injectable()
export class FollowUp extends BackgroundLoop {
  private readonly standing = standingGauge();

  constructor(
    @Inject(TailLog) private readonly log: PostgresLog,
    @Inject(Duties) private readonly duties: Duties,
    @Inject(Consequences) private readonly consequences: Consequences,
    @Inject(LOG) private readonly lines: Log,
  ) {
    super();
  }

  protected async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted)
      try {
        this.standing.reset();
        const from = await this.duties.position(DUTY);
        const topics = ['muster.device', 'muster.campaign', 'muster.handset'] as const;
        const onStanding = (places: readonly StandsAt[], came?: StandsAt) => this.stands(places, came);
        await follow(this.log, { topics, from, signal, onStanding }, (batch, after) => this.handle(batch, after));
      } catch (err) {
        this.lines.warn('follow-up.retry', { retryInMs: RETRY_MS, err });
        await pause(RETRY_MS, signal);
      }
  }

  /** Until somebody has repaired what cannot be read, nothing follows from what happens in these partitions. */
  private stands(places: readonly StandsAt[], came?: StandsAt): void {
    this.standing.reset();
    for (const { topic, partition, fault } of places) this.standing.set({ topic, partition, fault }, 1);
    if (places.length === 0) this.lines.info('follow-up.goes-on');
    if (came !== undefined) this.lines.error('follow-up.stands', { ...came }); // the others have been reported
  }

  private async handle(batch: readonly EventRecord[], after: Position): Promise<void> {
    for (const record of batch) await this.consequences.of(record);
    await this.duties.save(DUTY, after);
  }
}
