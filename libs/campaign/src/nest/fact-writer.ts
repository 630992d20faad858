import { setTimeout as sleep } from 'node:timers/promises';
import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import {
  type EventContext,
  EventLogError,
  type Fact,
  partitionOf,
  PostgresLog,
  type Sequence,
} from '#event-log/index.js';
import type { DeviceFactByHandset } from '#handset/events.js';
import { currentTrial, newId } from '#runtime/index.js';
import type { DeviceFactByServer } from '../events.js';

/** Of a hawkBit client the server also says what handsets say of themselves: by what it reports, and the bytes that it took. */
export type FactOfServer = DeviceFactByServer | DeviceFactByHandset;
type ServerFact = Fact<FactOfServer>;
interface Waiting {
  facts: readonly ServerFact[];
  isPatient: boolean;
  done: () => void;
  failed: (error: unknown) => void;
}

/** Facts of one group: a transaction that is neither empty nor endless. */
const GROUP = 1_000;
const RETRY_MS = 250;

/** Numbered facts, and who waits for them. */
interface Group {
  facts: readonly ServerFact[];
  waiting: readonly Waiting[];
}

/**
 * Writes server-made facts about devices. All that come while one group is being written form the next one, so the
 * log's commits are shared; and as one group follows the other, each partition gets this producer's sequence in order,
 * which is what lets readers drop duplicates. A connection that is lost at commit leaves it open whether the group is in
 * the log: the same group, with its numbers, goes again before any later one, and readers drop the repetition.
 */
@Injectable()
export class FactWriter implements BeforeApplicationShutdown {
  /** One a process: two on one data folder with one name would have each other's facts dropped. */
  private readonly producer = `campaign:${newId()}`;
  private readonly next = new Map<number, number>();
  private queue: Waiting[] = [];
  private group: Group | undefined;
  private writing: Promise<void> | undefined;
  private readonly stop = new AbortController();

  constructor(@Inject(PostgresLog) private readonly log: PostgresLog) {}

  /**
   * Resolves when the facts are durable.
   * @param isPatient waits until the log is there again; others are told at once that it is away
   * @throws EventLogError `log.unavailable`: the facts may be in the log, or come into it later, and once at most
   */
  async append(facts: readonly ServerFact[], { isPatient = false } = {}): Promise<void> {
    if (facts.length === 0) return;
    // Its groups are of whoever reports at the time: in a trial all of them would be taken back with it.
    if (currentTrial() !== undefined) throw new Error('facts of devices are not for trials');
    const written = new Promise<void>((done, failed) => this.queue.push({ facts, isPatient, done, failed }));
    this.writing ??= this.writeAll();
    await written;
  }

  /** No more patience: whoever waits for the log hears that it is away. */
  beforeApplicationShutdown(): void {
    this.stop.abort();
  }

  private async writeAll(): Promise<void> {
    for (this.group ??= this.nextGroup(); this.group !== undefined; this.group ??= this.nextGroup()) {
      const { facts, waiting } = this.group;
      try {
        await this.log.appendFacts('muster.device', facts);
        this.group = undefined;
        for (const { done } of waiting) done();
      } catch (error) {
        const isOpen = error instanceof EventLogError && error.code === 'log.unavailable' && !this.stop.signal.aborted;
        this.group = isOpen ? { facts, waiting: waiting.filter(({ isPatient }) => isPatient) } : undefined;
        for (const { failed } of isOpen ? waiting.filter(({ isPatient }) => !isPatient) : waiting) failed(error);
        if (isOpen) await this.pause(error);
      }
    }
    this.writing = undefined;
  }

  /** Nobody who asked meanwhile is kept waiting: what was not tried yet is not owed. */
  private async pause(error: EventLogError): Promise<void> {
    const hasty = this.queue.filter(({ isPatient }) => !isPatient);
    this.queue = this.queue.filter(({ isPatient }) => isPatient);
    for (const { failed } of hasty) failed(error);
    await sleep(RETRY_MS, undefined, { signal: this.stop.signal }).catch(() => undefined); // stopped: the last attempt
  }

  private nextGroup(): Group | undefined {
    const waiting = this.takeWaiting();
    const facts = waiting.flatMap(({ facts: each }) => each).map((fact) => this.numbered(fact));
    return facts.length === 0 ? undefined : { facts, waiting };
  }

  private takeWaiting(): Waiting[] {
    let size = 0;
    const fitting = this.queue.findIndex(({ facts }, i) => (size += facts.length) > GROUP && i > 0);
    return this.queue.splice(0, fitting === -1 ? this.queue.length : fitting);
  }

  private numbered(fact: ServerFact): ServerFact {
    const partition = fact.partition ?? partitionOf(`${fact.context.tenant}/${fact.subject}`);
    const n = this.next.get(partition) ?? 1;
    this.next.set(partition, n + 1);
    const sequence: Sequence = { source: `${this.producer}/${partition}`, epoch: 1, n };
    return { ...fact, sequence };
  }
}

/** What the server says of a device, because the device asked for it. */
export const deviceContext = (tenant: string, deviceId: string): EventContext => ({
  tenant,
  actor: `device:${deviceId}`,
  commandId: newId(),
});
