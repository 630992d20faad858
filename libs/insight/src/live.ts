import { setTimeout as sleep } from 'node:timers/promises';
import type { EventLog, EventRecord, Position, Topic } from '#event-log/index.js';
import { scan } from './merge.js';

/** Watches the end of the log once for all live readers of a process; it looks only while one waits. */
export class EndWatch {
  private heads: Position = {};
  private waiting = 0;
  private round: Promise<void> | undefined;

  constructor(
    private readonly log: EventLog,
    /** Appends within this time are told as one. */
    private readonly gatherMs = 100,
  ) {}

  /** Resolves when one of the topics has gone beyond `since`, or when aborted. */
  async beyond(since: Position, topics: readonly Topic[], signal: AbortSignal): Promise<void> {
    const isBeyond = () =>
      Object.entries(this.heads).some(
        ([key, next]) => next > (since[key] ?? 0) && topics.some((topic) => key.startsWith(`${topic}/`)),
      );
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    this.waiting += 1;
    try {
      while (!isBeyond() && !signal.aborted) {
        this.round ??= this.look().finally(() => (this.round = undefined));
        await Promise.race([this.round, aborted]);
      }
    } finally {
      this.waiting -= 1;
    }
  }

  /** One round: until the log has grown, or nobody waits. */
  private async look(): Promise<void> {
    const before = JSON.stringify(this.heads);
    while (this.waiting > 0 && JSON.stringify(this.heads) === before) {
      await this.log.waitForAppend(1_000);
      await sleep(this.gatherMs);
      this.heads = await this.log.heads();
    }
  }
}

export interface Following {
  tenant: string;
  topics: readonly Topic[];
  /** Where to begin; undefined: from now on. */
  from?: Position;
  signal: AbortSignal;
}

/**
 * A tenant's events as they come, each with the position after it, until aborted. Pulled: a reader that takes nothing
 * holds one page and no more.
 */
export async function* follow(
  { log, watch }: { log: EventLog; watch: EndWatch },
  { tenant, topics, from, signal }: Following,
): AsyncGenerator<{ record: EventRecord; position: Position }> {
  let position = from ?? (await log.heads(topics));
  while (!signal.aborted) {
    const page = await scan(log, { tenant, topics, from: position, limit: 100, wanted: () => true });
    for (const record of page.records) {
      position = { ...position, [`${record.topic}/${record.partition}`]: record.offset + 1 };
      yield { record, position };
    }
    position = page.position;
    if (page.isAtEnd) await watch.beyond(position, topics, signal);
  }
}
