import { Inject, Injectable } from '@nestjs/common';
import type { DeviceIdentity } from '#identity/nest/identity.module.js';
import { afterCancel, afterFeedback, type Consequence, failureCode, isOpen, isRepeated } from '../../ddi/action.js';
import { DDI_LIMITS, type Feedback, type ConfigData } from '../../ddi/read-body.js';
import { afterTelling } from '../../ddi/told-attributes.js';
import { CampaignError } from '../../errors.js';
import { stopsTransfer } from '../../offers.js';
import { FactBudget } from '../fact-budget.js';
import type { FactOfServer } from '../fact-writer.js';
import { LiveBoard } from '../live-board.js';
import { DdiActions, turnTo, unknownAction } from './ddi-actions.js';
import { DdiChoice } from './ddi-choice.js';
import type { Action } from './ddi-rows.js';

/** What hawkBit clients say: how it goes with an action, and what they are. */
@Injectable()
export class DdiReports {
  constructor(
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(DdiActions) private readonly actions: DdiActions,
    @Inject(DdiChoice) private readonly choice: DdiChoice,
    @Inject(FactBudget) private readonly budget: FactBudget,
  ) {}

  /**
   * A final report that comes again is answered as the first one was, and changes nothing.
   * @throws CampaignError `ddi.unknown`, `ddi.gone`, `ddi.too-many`, `ddi.busy`
   */
  async feedback(device: DeviceIdentity, actionId: number, feedback: Feedback): Promise<void> {
    const board = await this.board.tenant(device.tenant);
    const spend = this.charge(device, feedback);
    await this.actions.decide(board, device, actionId, (action) => {
      if (action.state === 'waiting') throw unknownAction();
      if (!isOpen(action.state)) {
        if (isRepeated(action.state, feedback)) return undefined;
        throw new CampaignError('ddi.gone', {}, 'the action is closed');
      }
      spend(action);
      const isCut = stopsTransfer(board.campaigns.get(action.campaignId), board.contents.get(action.contentId));
      const { state, facts } = afterFeedback(action, isCut, feedback);
      const { owes } =
        state === action.state ? { owes: [] } : turnTo(state, action, state === 'ended' ? 'paused' : 'ended');
      return {
        ...{ state, asks: !isOpen(state), details: feedback.details },
        owes: [...facts.map((fact) => factOf(fact, action, feedback)), ...owes],
      };
    });
  }

  /** @throws CampaignError `ddi.unknown`, `ddi.not-cancelable`, `ddi.too-many`, `ddi.busy` */
  async cancelFeedback(device: DeviceIdentity, actionId: number, feedback: Feedback): Promise<void> {
    const next = afterCancel('canceling', feedback);
    const board = await this.board.tenant(device.tenant);
    const spend = this.charge(device, feedback);
    await this.actions.decide(board, device, actionId, (action) => {
      if (action.state === 'canceled' && next === 'canceled') return undefined; // again
      if (action.state !== 'canceling')
        throw new CampaignError('ddi.not-cancelable', {}, 'nothing asks for a cancel of this action');
      spend(action);
      return { ...turnTo(next, action), refusedCancel: next === 'offered', details: feedback.details };
    });
  }

  /** @throws CampaignError `ddi.too-many`, `facts.too-many` */
  async tell(device: DeviceIdentity, config: ConfigData): Promise<void> {
    const { told: before } = await this.actions.devices.get(device);
    const all = { ...before, ...Object.fromEntries(Object.entries(config.data).map(([k]) => [k, k])) };
    this.choice.charge(device, all);
    const now = { told: before };
    await this.actions.devices.change(device, (kept) => {
      now.told = afterTelling(kept.told, config);
      return { ...kept, told: now.told, asks: false };
    });
    const board = await this.board.tenant(device.tenant);
    await this.choice.tell(device, now.told, await this.actions.all(board, device));
  }

  /** One of its own, as it stands now. @throws CampaignError `ddi.unknown`, `ddi.busy` */
  async find(device: DeviceIdentity, actionId: number): Promise<Action> {
    return this.actions.one(await this.board.tenant(device.tenant), device, actionId);
  }

  /** Once a report, however often it is decided on. Final states are taken whatever came before them. */
  private charge(device: DeviceIdentity, { execution }: Feedback): (action: Action) => void {
    let isSpent = false;
    return ({ reports }) => {
      if (reports >= DDI_LIMITS.rows && execution !== 'closed' && execution !== 'canceled')
        throw new CampaignError('ddi.too-many', {}, `at most ${DDI_LIMITS.rows} reports on an action`);
      if (!isSpent) this.budget.spend(device, 1);
      isSpent = true;
    };
  }
}

function factOf(consequence: Consequence, { contentId, campaignId }: Action, feedback: Feedback): FactOfServer {
  const about = { contentId, campaignId };
  switch (consequence) {
    case 'installed':
      return { type: 'InstallReported', data: { ...about, outcome: 'installed' } };
    case 'install-failed':
      return { type: 'InstallReported', data: { ...about, outcome: 'failed', code: failureCode(feedback) } };
    case 'confirmed':
    case 'rolled-back':
      return { type: 'OutcomeConfirmed', data: { ...about, outcome: consequence } };
  }
}
