import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { Clock } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { dueByClock } from '../due.js';
import { LiveBoard } from './live-board.js';
import { COUNT_MS, Looks } from './looks.js';
import { type CampaignOrder, RunCampaign } from './run-campaign.handler.js';

/** Gives campaigns the commands that the clock owes them. */
@Injectable()
export class CampaignClock {
  private readonly looks = new Looks(COUNT_MS);

  constructor(
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async tick(tenant: string): Promise<void> {
    const now = this.clock.now();
    for (const [campaignId, state] of [...(await this.board.tenant(tenant)).campaigns]) {
      // Whether anything is under way is counted over all of its devices.
      if (state.status === 'draining' && !this.looks.isDue(campaignId)) continue;
      const order = dueByClock(campaignId, state, now);
      // The same command by two instances is one: its id follows from what it is about.
      const commandId = `clock:${campaignId}:${order?.type}:${state.status}`;
      if (order !== undefined)
        await this.commands.execute(
          new RunCampaign(order as CampaignOrder, { tenant, actor: 'system:clock', commandId }),
        );
    }
  }
}
