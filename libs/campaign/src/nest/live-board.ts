import { Inject, Injectable } from '@nestjs/common';
import { nextOffset, PARTITIONS, type Position } from '#event-log/index.js';
import { inEarnest } from '#runtime/index.js';
import { CommittedLog } from '#event-log/nest/event-log.module.js';
import { Board, BOARD_TOPICS, type TenantBoard } from '../board.js';

const PAGE = 1_000;

/**
 * The board, caught up with what is committed before every answer: who was told that a campaign is paused finds it paused,
 * and commands go on while Kafka is away.
 */
@Injectable()
export class LiveBoard {
  private readonly board = new Board();
  private readonly offsets: Record<string, number> = {};
  private running: Promise<void> = Promise.resolve();
  private waiting: Promise<void> | undefined;

  constructor(@Inject(CommittedLog) private readonly log: CommittedLog) {}

  /** Up to where the board is. */
  get position(): Position {
    return { ...this.offsets };
  }

  async tenant(tenant: string): Promise<TenantBoard> {
    // One catch-up serves all who ask before it begins; one that has begun may have missed what the asker knows.
    this.waiting ??= this.running.catch(() => undefined).then(() => inEarnest(() => this.catchUp()));
    this.running = this.waiting;
    await this.waiting;
    return this.board.tenant(tenant);
  }

  private async catchUp(): Promise<void> {
    this.waiting = undefined;
    const heads = await this.log.heads(BOARD_TOPICS);
    for (const topic of BOARD_TOPICS)
      for (let partition = 0; partition < PARTITIONS; partition++) await this.readTo(heads, topic, partition);
  }

  private async readTo(heads: Position, topic: (typeof BOARD_TOPICS)[number], partition: number): Promise<void> {
    const key = `${topic}/${partition}`;
    const head = nextOffset(heads, topic, partition);
    for (let from = this.offsets[key] ?? 0; from < head; from = this.offsets[key] ?? 0) {
      const records = await this.log.readTolerantly(topic, partition, from, PAGE);
      for (const record of records) this.board.apply(record);
      this.offsets[key] = from + records.length;
    }
  }
}
