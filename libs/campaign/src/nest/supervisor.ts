import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { Clock } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import type { CampaignState } from '../campaign.js';
import { isSupervised, supervise } from '../supervise.js';
import { LiveBoard } from './live-board.js';
import { COUNT_MS, Looks } from './looks.js';
import { Outcomes } from './outcomes.js';
import { type CampaignOrder, RunCampaign } from './run-campaign.handler.js';

/** Opens waves and halts campaigns, by what has become of their devices. */
@Injectable()
export class Supervisor {
  private readonly looks = new Looks(COUNT_MS);

  constructor(
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(Outcomes) private readonly outcomes: Outcomes,
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async tick(tenant: string): Promise<void> {
    const { campaigns } = await this.board.tenant(tenant);
    for (const [campaignId, state] of campaigns)
      if (isSupervised(state) && this.looks.isDue(campaignId)) await this.look(tenant, campaignId, state);
  }

  private async look(tenant: string, campaignId: string, state: CampaignState): Promise<void> {
    const now = this.clock.now();
    const { waveOpenedAt, settings } = state;
    const all = await this.outcomes.of(tenant, campaignId, settings!, { now });
    const since = settings!.waves.length === 0 ? undefined : (waveOpenedAt ?? undefined);
    const ofWave = since === undefined ? all : await this.outcomes.of(tenant, campaignId, settings!, { now, since });
    const order = supervise(campaignId, state, { all: all.tally, ofWave: ofWave.tally, now });
    if (order === undefined) return;
    // Several instances see the same: what is done already is done once, and again after a person has gone on.
    const commandId = `supervisor:${campaignId}:${order.type}:${state.runsSince}:${state.settings!.waveUpTo}`;
    await this.commands.execute(
      new RunCampaign(order as CampaignOrder, { tenant, actor: 'system:supervisor', commandId }),
    );
  }
}
