import { Inject, Injectable } from '@nestjs/common';
import type { DeviceIdentity } from '#identity/nest/identity.module.js';
import type { Clock } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { type ActionState, isOpen } from '../../ddi/action.js';
import type { Root } from '../../ddi/bodies.js';
import { type AutoConfirm, type Confirmation, DDI_LIMITS } from '../../ddi/read-body.js';
import { CampaignError } from '../../errors.js';
import { FactBudget } from '../fact-budget.js';
import { LiveBoard } from '../live-board.js';
import { ServedFiles } from '../served-files.js';
import { DdiActions } from './ddi-actions.js';

/** What the users of hawkBit clients say: yes or no to one action, or yes to all that come. */
@Injectable()
export class DdiConsent {
  constructor(
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(DdiActions) private readonly actions: DdiActions,
    @Inject(ServedFiles) private readonly served: ServedFiles,
    @Inject(FactBudget) private readonly budget: FactBudget,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async show(device: DeviceIdentity, root: Root): Promise<object> {
    const { autoConfirm } = await this.actions.devices.get(device);
    if (autoConfirm === null) return { autoConfirm: { active: false }, _links: linkTo(root, 'activateAutoConfirm') };
    return { autoConfirm: { active: true, ...autoConfirm }, _links: linkTo(root, 'deactivateAutoConfirm') };
  }

  /** @throws CampaignError `ddi.auto-confirmed` when it is so already */
  async activate(device: DeviceIdentity, by: AutoConfirm): Promise<void> {
    this.budget.spend(device, 1);
    await this.actions.devices.change(device, (kept) => {
      if (kept.autoConfirm !== null) throw new CampaignError('ddi.auto-confirmed', {}, 'it confirms by itself already');
      return { ...kept, autoConfirm: { ...by, activatedAt: this.clock.now() } };
    });
    // What waits still, because another request came between, is confirmed by the next poll.
    const waiting = (await this.actions.rows.actions(device)).find(({ state }) => state === 'waiting');
    if (waiting !== undefined) await this.actions.record.turn(device, waiting, { state: 'offered', owes: [] });
  }

  /** Repeating it is harmless. */
  async deactivate(device: DeviceIdentity): Promise<void> {
    this.budget.spend(device, 1);
    await this.actions.devices.change(device, (kept) => ({ ...kept, autoConfirm: null }));
  }

  /**
   * A no is final: the offer does not come again. The same answer again changes nothing.
   * @throws CampaignError `ddi.gone`, `ddi.unknown`, `ddi.too-many`
   */
  async answer(device: DeviceIdentity, actionId: number, { confirmation, details }: Confirmation): Promise<void> {
    const { snapshotVersion } = await this.served.timestamp(device);
    const board = await this.board.tenant(device.tenant);
    await this.actions.decide(board, device, actionId, (each) => {
      if (isSaid(each.state, confirmation)) return undefined;
      if (!isOpen(each.state)) throw new CampaignError('ddi.gone', {}, 'the action is closed');
      if (each.state !== 'waiting') throw new CampaignError('ddi.unknown', {}, 'the action does not wait for it');
      if (each.reports >= DDI_LIMITS.rows) throw new CampaignError('ddi.too-many', {}, 'too many reports on an action');
      this.budget.spend(device, 1);
      if (confirmation === 'confirmed') return { state: 'offered', details, owes: [] };
      const { contentId, campaignId } = each;
      const data = { contentId, campaignId, reason: 'user' as const, snapshotVersion };
      return { state: 'denied', details, owes: [{ type: 'ContentDeclined', data }] };
    });
  }
}

const isSaid = (state: ActionState, confirmation: Confirmation['confirmation']): boolean =>
  state === (confirmation === 'denied' ? 'denied' : 'offered');

const linkTo = (root: Root, verb: string): object => ({ [verb]: { href: `${root}/confirmationBase/${verb}` } });
