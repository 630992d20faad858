import { Inject, Injectable } from '@nestjs/common';
import type { DeviceIdentity } from '#identity/nest/identity.module.js';
import type { Clock } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { isOpen } from '../../ddi/action.js';
import type { Root } from '../../ddi/bodies.js';
import { type AutoConfirm, type Confirmation, DDI_LIMITS } from '../../ddi/read-body.js';
import { CampaignError } from '../../errors.js';
import { FactBudget } from '../fact-budget.js';
import { ServedFiles } from '../served-files.js';
import { DdiActions } from './ddi-actions.js';
import type { Action } from './ddi-rows.js';

/** What the users of hawkBit clients say: yes or no to one action, or yes to all that come. */
@Injectable()
export class DdiConsent {
  constructor(
    @Inject(DdiActions) private readonly actions: DdiActions,
    @Inject(ServedFiles) private readonly served: ServedFiles,
    @Inject(FactBudget) private readonly budget: FactBudget,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async show(device: DeviceIdentity, root: Root): Promise<object> {
    const { autoConfirm } = await this.actions.rows.device(device);
    if (autoConfirm === null) return { autoConfirm: { active: false }, _links: linkTo(root, 'activateAutoConfirm') };
    return { autoConfirm: { active: true, ...autoConfirm }, _links: linkTo(root, 'deactivateAutoConfirm') };
  }

  /** @throws CampaignError `ddi.auto-confirmed` when it is so already */
  async activate(device: DeviceIdentity, by: AutoConfirm): Promise<void> {
    const kept = await this.actions.rows.device(device);
    if (kept.autoConfirm !== null) throw new CampaignError('ddi.auto-confirmed', {}, 'it confirms by itself already');
    this.budget.spend(device, 1);
    await this.actions.rows.keep(device, { ...kept, autoConfirm: { ...by, activatedAt: this.clock.now() } });
    const waiting = (await this.actions.rows.actions(device)).find(({ state }) => state === 'waiting');
    if (waiting !== undefined) await this.actions.turn(device, waiting, 'offered');
  }

  /** Repeating it is harmless. */
  async deactivate(device: DeviceIdentity): Promise<void> {
    const kept = await this.actions.rows.device(device);
    this.budget.spend(device, 1);
    if (kept.autoConfirm !== null) await this.actions.rows.keep(device, { ...kept, autoConfirm: null });
  }

  /**
   * A no is final: the offer does not come again. The same answer again changes nothing.
   * @throws CampaignError `ddi.gone`, `ddi.unknown`, `ddi.too-many`
   */
  async answer(device: DeviceIdentity, action: Action, { confirmation, details }: Confirmation): Promise<void> {
    if (action.state === 'denied' && confirmation === 'denied') return;
    if (!isOpen(action.state)) throw new CampaignError('ddi.gone', {}, 'the action is closed');
    if (action.state === 'offered' && confirmation === 'confirmed') return;
    if (action.state !== 'waiting') throw new CampaignError('ddi.unknown', {}, 'the action does not wait for it');
    if (action.reports >= DDI_LIMITS.rows) throw new CampaignError('ddi.too-many', {}, 'too many reports on an action');
    this.budget.spend(device, 1);
    await this.actions.rows.report(device, action, details);
    if (confirmation === 'confirmed') return void (await this.actions.turn(device, action, 'offered'));
    const { contentId, campaignId } = action;
    const { snapshotVersion } = await this.served.timestamp(device);
    const data = { contentId, campaignId, reason: 'user' as const, snapshotVersion };
    await this.actions.record(device, [{ type: 'ContentDeclined', data }]);
    await this.actions.turn(device, action, 'denied');
  }
}

const linkTo = (root: Root, verb: string): object => ({ [verb]: { href: `${root}/confirmationBase/${verb}` } });
