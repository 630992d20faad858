import { Inject, Injectable } from '@nestjs/common';
import type { DeviceIdentity } from '#identity/nest/identity.module.js';
import { type Clock, instant } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { checkOf, type TenantBoard } from '../../board.js';
import { type ActionState, isOpen } from '../../ddi/action.js';
import { isWithheld, standingNow } from '../../ddi/standing.js';
import { gateOf, type HeldBack } from '../../offers.js';
import { deviceContext, type FactOfServer, FactWriter } from '../fact-writer.js';
import { FactBudget } from '../fact-budget.js';
import { Leases } from '../leases.js';
import { type Action, DdiRows } from './ddi-rows.js';

/** The actions of hawkBit clients: what their campaigns make of them, and what is on the record of them. */
@Injectable()
export class DdiActions {
  constructor(
    @Inject(DdiRows) readonly rows: DdiRows,
    @Inject(Leases) private readonly leases: Leases,
    @Inject(FactWriter) private readonly writer: FactWriter,
    @Inject(FactBudget) private readonly budget: FactBudget,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** All that the device ever had, each as it stands now. */
  async all(board: TenantBoard, device: DeviceIdentity): Promise<Action[]> {
    const found: Action[] = [];
    for (const action of await this.rows.actions(device)) found.push(await this.settle(board, device, action));
    return found;
  }

  async one(board: TenantBoard, device: DeviceIdentity, actionId: number): Promise<Action | undefined> {
    const action = await this.rows.action(device, actionId);
    return action && this.settle(board, device, action);
  }

  /** Its campaign may have been recalled, or be over. */
  private async settle(board: TenantBoard, device: DeviceIdentity, action: Action): Promise<Action> {
    if (!isOpen(action.state)) return action;
    const { campaigns, contents } = board;
    const now = this.clock.now();
    const state = standingNow(action, campaigns.get(action.campaignId), contents.get(action.contentId), now);
    return state === action.state ? action : this.turn(device, action, state);
  }

  /** What was taken back frees its lease, and is on the record: no other fact says so. Facts first, the row behind them. */
  async turn(device: DeviceIdentity, action: Action, state: ActionState): Promise<Action> {
    if (state === 'canceled' || state === 'ended') {
      const { contentId, campaignId } = action;
      await this.record(device, [{ type: 'OfferWithheld', data: { contentId, campaignId, gate: 'ended' } }]);
      await this.leases.end(device, action, instant(this.clock.now()));
    }
    await this.rows.turn(device, action, state);
    return { ...action, state, changedAt: this.clock.now() };
  }

  /** Why its link is left out now. Who has not all of its bytes yet needs a lease for them, of which the caps know. */
  async withheld(
    board: TenantBoard,
    device: DeviceIdentity,
    action: Action,
    zone: string,
  ): Promise<HeldBack | undefined> {
    const { campaigns, contents } = board;
    const [campaign, content] = [campaigns.get(action.campaignId), contents.get(action.contentId)];
    const now = this.clock.now();
    const gate = gateOf(checkOf(board, { ...device, side: 'server', zone, isUnderWay: true }, action, now));
    if (isWithheld(action, campaign, content, gate)) return gate ?? { gate: 'paused' };
    const needsLease = action.state === 'offered' && !action.isTransferred && !action.refusedCancel;
    return needsLease ? this.leases.take(board, device, action, now) : undefined;
  }

  /** The same for what need not be on the record: a client that fetches in a thousand pieces gets them, and is not told of a thousand times. */
  async recordIfRoom(device: DeviceIdentity, event: FactOfServer): Promise<void> {
    try {
      this.budget.spend(device, 1);
    } catch {
      return;
    }
    await this.record(device, [event]);
  }

  /** Resolves when they are durable. */
  async record(device: DeviceIdentity, events: readonly FactOfServer[], options?: { isPatient: boolean }) {
    const { tenant, deviceId: subject } = device;
    const context = deviceContext(tenant, subject);
    await this.writer.append(
      events.map((event) => ({ subject, context, event })),
      options,
    );
  }
}
