import { Inject, Injectable } from '@nestjs/common';
import { type EventContext, type Fact, partitionOf, PostgresLog, type Sequence } from '#event-log/index.js';
import { newId } from '#runtime/index.js';
import type { DeviceFactByServer } from '../events.js';

type ServerFact = Fact<DeviceFactByServer>;
interface Waiting {
  facts: readonly ServerFact[];
  done: () => void;
  failed: (error: unknown) => void;
}

/** Facts of one group: a transaction that is neither empty nor endless. */
const GROUP = 1_000;

/**
 * Writes server-made facts about devices. All that come while one group is being written form the next one, so the
 * log's commits are shared; and as one group follows the other, each partition gets this producer's sequence in order,
 * which is what lets readers drop duplicates.
 */
@Injectable()
export class FactWriter {
  private readonly producer = `campaign:${newId()}`;
  private readonly next = new Map<number, number>();
  private queue: Waiting[] = [];
  private writing: Promise<void> | undefined;

  constructor(@Inject(PostgresLog) private readonly log: PostgresLog) {}

  /** Resolves when the facts are durable. */
  async append(facts: readonly ServerFact[]): Promise<void> {
    if (facts.length === 0) return;
    const written = new Promise<void>((done, failed) => this.queue.push({ facts, done, failed }));
    this.writing ??= this.writeAll();
    await written;
  }

  private async writeAll(): Promise<void> {
    while (this.queue.length > 0) {
      const group = this.takeGroup();
      try {
        const facts = group.flatMap(({ facts: each }) => each).map((fact) => this.numbered(fact));
        await this.log.appendFacts('muster.device', facts);
        for (const { done } of group) done();
      } catch (error) {
        for (const { failed } of group) failed(error);
      }
    }
    this.writing = undefined;
  }

  private takeGroup(): Waiting[] {
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
