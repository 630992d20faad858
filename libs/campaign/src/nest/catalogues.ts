import { Inject, Injectable } from '@nestjs/common';
import type { Clock } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { FirstChannel } from './first-channel.js';
import { LiveBoard } from './live-board.js';
import { Publisher } from './publisher.js';

/** How often a catalogue is looked at although nothing changed: expiries are counted in hours. Milliseconds. */
const LOOK_MS = 600_000;

/** Has every channel's catalogue published again when the log has changed it, and looked at for what is half expired. */
@Injectable()
export class Catalogues {
  private readonly seen = new Map<string, { revision: number; at: number }>();

  constructor(
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(FirstChannel) private readonly channels: FirstChannel,
    @Inject(Publisher) private readonly publisher: Publisher,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async tick(tenant: string): Promise<void> {
    await this.channels.ensure(tenant);
    const { revision } = await this.board.tenant(tenant);
    const now = this.clock.now();
    const seen = this.seen.get(tenant);
    if (seen?.revision === revision && Math.abs(now - seen.at) < LOOK_MS) return;
    for (const channel of await this.channels.names(tenant)) await this.publisher.publish(tenant, channel);
    this.seen.set(tenant, { revision, at: now });
  }
}
