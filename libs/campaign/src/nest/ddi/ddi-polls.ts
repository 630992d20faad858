import { Inject, Injectable } from '@nestjs/common';
import { formatTrigger } from '#device-protocol/index.js';
import type { DeviceIdentity } from '#identity/nest/identity.module.js';
import type { TenantBoard } from '../../board.js';
import { isOpen } from '../../ddi/action.js';
import { baseBody, type Links, type Root, sleepOf } from '../../ddi/bodies.js';
import { zoneOf } from '../../ddi/told-attributes.js';
import type { HeldBack } from '../../offers.js';
import { DeviceVisits } from '../device-visits.js';
import type { FactOfServer } from '../fact-writer.js';
import { LiveBoard } from '../live-board.js';
import { PollIntervals } from '../poll-intervals.js';
import { DdiActions } from './ddi-actions.js';
import { DdiChoice } from './ddi-choice.js';
import type { KeptDevice } from './ddi-devices.js';
import type { Action } from './ddi-rows.js';

/** No gate that opens sooner is worth a question of every device that it holds. */
const LEAST_SECONDS = 60;
/** What a poll is recorded with in place of a stored rule. */
const RULE = formatTrigger({ rule: 'ddi', version: 1 });

/** The base poll of a hawkBit client: at most one offer, and the same until it is closed. */
@Injectable()
export class DdiPolls {
  constructor(
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(DdiActions) private readonly actions: DdiActions,
    @Inject(DdiChoice) private readonly choice: DdiChoice,
    @Inject(DeviceVisits) private readonly visits: DeviceVisits,
    @Inject(PollIntervals) private readonly intervals: PollIntervals,
  ) {}

  /** @throws CampaignError `facts.too-many` */
  async answer(device: DeviceIdentity, root: Root): Promise<object> {
    const board = await this.board.tenant(device.tenant);
    const kept = await this.actions.devices.get(device);
    this.choice.charge(device, kept.told);
    const all = await this.actions.all(board, device);
    const { shown, held } = await this.exposed(board, device, kept, all);
    const links: Links = {
      ...linkOf(shown),
      installedBase: all.findLast(({ state }) => state === 'finished')?.actionId,
      configData: kept.asks,
    };
    this.visits.asked(device, this.choice.digestOf(board, device), { header: RULE, fits: shown !== undefined });
    const waits = held.flatMap(({ retryAfterSeconds }) => retryAfterSeconds ?? []);
    const seconds = Math.min(this.intervals.seconds(), Math.max(LEAST_SECONDS, Math.min(...waits)));
    return baseBody(root, sleepOf(seconds, Math.random()), links);
  }

  private async exposed(
    board: TenantBoard,
    device: DeviceIdentity,
    kept: KeptDevice,
    all: readonly Action[],
  ): Promise<{ shown?: Action; held: readonly HeldBack[] }> {
    let open = all.find(({ state }) => isOpen(state));
    if (open?.state === 'waiting' && kept.autoConfirm !== null) {
      const isTurned = await this.actions.record.turn(device, open, { state: 'offered', owes: [] });
      open = isTurned ? { ...open, state: 'offered' } : open;
    }
    if (open !== undefined) {
      const gate = await this.actions.withheld(board, device, open, zoneOf(kept.told));
      return gate === undefined ? { shown: open, held: [] } : { held: [gate] };
    }
    const chosen = await this.choice.choose(device, kept.told, all);
    const { offer, held } = chosen;
    const record = (facts: readonly FactOfServer[]) => this.choice.record(device, kept.told, chosen, facts);
    if (offer === undefined) {
      await record([]);
      return { held };
    }
    const asks = board.campaigns.get(offer.campaignId)?.settings?.confirmation === true && kept.autoConfirm === null;
    const opened = { state: asks ? 'waiting' : 'offered', owes: chosen.facts } as const;
    return { shown: await this.actions.begin(device, offer, opened, record), held };
  }
}

const linkOf = (shown: Action | undefined): Partial<Links> => {
  if (shown === undefined) return {};
  const { state, actionId } = shown;
  if (state === 'canceling') return { cancelAction: actionId };
  return state === 'waiting' ? { confirmationBase: actionId } : { deploymentBase: actionId };
};
