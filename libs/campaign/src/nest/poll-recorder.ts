import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Counter, register } from 'prom-client';
import { type Fact, partitionOf } from '#event-log/index.js';
import type { DeviceIdentity } from '#identity/nest/identity.module.js';
import { type Log, newId } from '#runtime/index.js';
import { countedGauge, LOG } from '#runtime/nest/runtime.module.js';
import type { DeviceFactByServer } from '../events.js';
import { batchPolls } from '../poll-batches.js';
import type { Poll } from '../polls.js';
import { FactWriter } from './fact-writer.js';

interface Batch {
  tenant: string;
  channel: string;
  partition: number;
  polls: Poll[];
}

/** A poll's record may trail its answer by this, and no other record may. */
const FLUSH_MS = 500;
/** Polls kept while the log is away; beyond it the newest are lost, and the log line says how many. */
const KEPT = 100_000;
const LOST = 'muster_polls_lost_total';

/** A second application in a process takes it over. */
function lostCounter(): Counter {
  register.removeSingleMetric(LOST);
  return new Counter({ name: LOST, help: 'Polls that were answered and will never be recorded.' });
}

/** Collects polls and records them in batches, one per tenant, channel and partition of the device. */
@Injectable()
export class PollRecorder implements OnApplicationShutdown {
  private batches = new Map<string, Batch>();
  private kept = 0;
  private lost = 0;
  private readonly losses = lostCounter();
  /** Packed, but refused by the log so far. */
  private facts: Fact<DeviceFactByServer>[] = [];
  private flushing: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;
  private isStopped = false;

  constructor(
    @Inject(FactWriter) private readonly writer: FactWriter,
    @Inject(LOG) private readonly log: Log,
  ) {
    const help = 'Polls that were answered and wait for being recorded.';
    countedGauge({ name: 'muster_polls_waiting', help, labelNames: [] }, (set) => set({}, this.kept));
  }

  record({ tenant, channel, deviceId }: DeviceIdentity, poll: Poll): void {
    if (this.kept >= KEPT || this.isStopped) {
      this.lost += 1;
      this.losses.inc();
      return;
    }
    this.kept += 1;
    const partition = partitionOf(`${tenant}/${deviceId}`);
    const key = `${tenant}/${channel}/${partition}`;
    const batch = this.batches.get(key);
    if (batch === undefined) this.batches.set(key, { tenant, channel, partition, polls: [poll] });
    else batch.polls.push(poll);
    this.flushSoon();
  }

  private flushSoon(): void {
    if (this.isStopped) return;
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      // One after the other: a second one beside a slow first would write the facts of both.
      this.flushing = this.flushing.then(() => this.flush()).catch((err: unknown) => this.retry(err));
    }, FLUSH_MS);
  }

  /**
   * The listeners are closed by now, so the last poll is in; in `beforeApplicationShutdown` it would not be. The pools are
   * still open, since the modules are shut down in reversed order, and the event log's comes first.
   */
  async onApplicationShutdown(): Promise<void> {
    this.isStopped = true;
    clearTimeout(this.timer);
    await this.flushing;
    await this.flush().catch((err: unknown) => this.giveUp(err));
  }

  /** @throws what the log refuses with; the polls are kept then */
  private async flush(): Promise<void> {
    this.facts.push(...[...this.batches.values()].flatMap(factsOf));
    this.batches = new Map();
    const { facts, kept } = this;
    if (facts.length === 0) return;
    await this.writer.append(facts, { isPatient: true });
    this.facts = [];
    this.kept -= kept; // those that came meanwhile stay counted
    if (this.lost > 0) this.log.error('polls.lost', { polls: this.lost });
    this.lost = 0;
  }

  private retry(err: unknown): void {
    this.log.warn('polls.not-recorded', { polls: this.kept, retryInMs: FLUSH_MS, err });
    this.flushSoon();
  }

  /** Nobody will try again: a timer would only keep the process from ending. */
  private giveUp(err: unknown): void {
    this.losses.inc(this.kept);
    this.log.error('polls.lost', { polls: this.lost + this.kept, err });
    this.facts = [];
    this.kept = 0;
    this.lost = 0;
  }
}

const factsOf = ({ tenant, channel, partition, polls }: Batch): Fact<DeviceFactByServer>[] =>
  batchPolls(partition, channel, polls).map((event) => ({
    subject: 'polls',
    partition,
    context: { tenant, actor: 'system:polls', commandId: newId() },
    event,
    occurredAt: event.data.from,
  }));
