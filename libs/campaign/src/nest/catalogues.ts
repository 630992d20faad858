import { Inject, Injectable } from '@nestjs/common';
import type { Clock, Log } from '#runtime/index.js';
import { CLOCK, LOG } from '#runtime/nest/runtime.module.js';
import { FirstChannel } from './first-channel.js';
import { LiveBoard } from './live-board.js';
import { Publisher } from './publisher.js';

/** How often a catalogue is looked at although nothing changed: expiries are counted in hours. Milliseconds. */
const LOOK_MS = 600_000;

interface Seen {
  revision: number;
  at: number;
}

/** Has every channel's catalogue published again when the log has changed it, and looked at for what is half expired. */
@Injectable()
export class Catalogues {
  /** By tenant and channel. */
  private readonly seen = new Map<string, Seen>();

  constructor(
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(FirstChannel) private readonly channels: FirstChannel,
    @Inject(Publisher) private readonly publisher: Publisher,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOG) private readonly log: Log,
  ) {}

  async tick(tenant: string): Promise<void> {
    await this.channels.ensure(tenant);
    const { revision } = await this.board.tenant(tenant);
    const now = this.clock.now();
    for (const channel of await this.channels.names(tenant))
      try {
        await this.look(tenant, channel, { revision, at: now });
      } catch (err) {
        // A channel that cannot be published holds back no other; it is tried again at the next tick.
        this.log.warn('catalogue.retry', { tenant, channel, err });
      }
  }

  private async look(tenant: string, channel: string, found: Seen): Promise<void> {
    const name = `${tenant}/${channel}`;
    const seen = this.seen.get(name);
    if (seen?.revision === found.revision && Math.abs(found.at - seen.at) < LOOK_MS) return;
    await this.publisher.publish(tenant, channel);
    this.seen.set(name, found);
  }
}
