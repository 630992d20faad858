import { Inject, Injectable } from '@nestjs/common';
import type { DeviceIdentity } from '#identity/nest/identity.module.js';
import {
  type Advance,
  afterCancel,
  afterFeedback,
  type Consequence,
  failureCode,
  isOpen,
  isRepeated,
} from '../../ddi/action.js';
import { DDI_LIMITS, type Feedback, type ConfigData } from '../../ddi/read-body.js';
import { afterTelling } from '../../ddi/told-attributes.js';
import { CampaignError, refusal } from '../../errors.js';
import { FactBudget } from '../fact-budget.js';
import type { FactOfServer } from '../fact-writer.js';
import { LiveBoard } from '../live-board.js';
import { DdiActions } from './ddi-actions.js';
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
   * @throws CampaignError `ddi.unknown`, `ddi.gone`, `ddi.too-many`
   */
  async feedback(device: DeviceIdentity, actionId: number, feedback: Feedback): Promise<void> {
    const action = await this.find(device, actionId);
    if (action.state === 'waiting') throw unknownAction();
    if (!isOpen(action.state)) {
      if (isRepeated(action.state, feedback)) return;
      throw new CampaignError('ddi.gone', {}, 'the action is closed');
    }
    this.charge(device, action, feedback);
    await this.advance(device, action, feedback, afterFeedback(action.state, feedback));
  }

  /** @throws CampaignError `ddi.unknown`, `ddi.not-cancelable`, `ddi.too-many` */
  async cancelFeedback(device: DeviceIdentity, actionId: number, feedback: Feedback): Promise<void> {
    const action = await this.find(device, actionId);
    const next = afterCancel('canceling', feedback);
    if (action.state === 'canceled' && next === 'canceled') return; // again
    if (action.state !== 'canceling')
      throw new CampaignError('ddi.not-cancelable', {}, 'nothing asks for a cancel of this action');
    this.charge(device, action, feedback);
    await this.actions.rows.report(device, action, feedback.details);
    const refusedCancel = next === 'offered';
    if (next !== action.state) await this.actions.turn(device, { ...action, refusedCancel }, next);
  }

  /** @throws CampaignError `ddi.too-many`, `facts.too-many` */
  async tell(device: DeviceIdentity, config: ConfigData): Promise<void> {
    const kept = await this.actions.rows.device(device);
    this.choice.charge(device, {
      ...kept.told,
      ...Object.fromEntries(Object.entries(config.data).map(([k]) => [k, k])),
    });
    const told = afterTelling(kept.told, config);
    const board = await this.board.tenant(device.tenant);
    await this.choice.tell(device, told, await this.actions.all(board, device));
    await this.actions.rows.keep(device, { ...kept, told, asks: false });
  }

  /** One of its own, as it stands now. @throws CampaignError `ddi.unknown` */
  async find(device: DeviceIdentity, actionId: number): Promise<Action> {
    const action = await this.actions.one(await this.board.tenant(device.tenant), device, actionId);
    if (action === undefined) throw unknownAction();
    return action;
  }

  /** Final states are taken whatever came before them. */
  private charge(device: DeviceIdentity, { reports }: Action, { execution }: Feedback): void {
    if (reports >= DDI_LIMITS.rows && execution !== 'closed' && execution !== 'canceled')
      throw new CampaignError('ddi.too-many', {}, `at most ${DDI_LIMITS.rows} reports on an action`);
    this.budget.spend(device, 1);
  }

  private async advance(device: DeviceIdentity, action: Action, feedback: Feedback, { state, facts }: Advance) {
    await this.actions.record(
      device,
      facts.map((fact) => factOf(fact, action, feedback)),
    );
    await this.actions.rows.report(device, action, feedback.details);
    if (state === action.state) return;
    await this.actions.turn(device, action, state);
    if (!isOpen(state)) await this.actions.rows.ask(device);
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

export const unknownAction = (): CampaignError => refusal('ddi.unknown', '/actionId', 'no such action of this device');
