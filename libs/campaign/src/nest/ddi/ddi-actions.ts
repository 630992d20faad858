import { Inject, Injectable } from '@nestjs/common';
import type { OfferRef } from '#device-protocol/index.js';
import type { DeviceIdentity } from '#identity/nest/identity.module.js';
import { type Clock, instant } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { checkOf, type TenantBoard } from '../../board.js';
import { type ActionState, isOpen } from '../../ddi/action.js';
import { standingNow, withheldBy } from '../../ddi/standing.js';
import { refusal } from '../../errors.js';
import { type HeldBack, outsideWindow } from '../../offers.js';
import type { FactOfServer } from '../fact-writer.js';
import { Leases } from '../leases.js';
import { DdiDevices } from './ddi-devices.js';
import { busy, DdiRecord } from './ddi-record.js';
import { type Action, DdiRows, type Turn } from './ddi-rows.js';

/** Two requests of one device at once are rare, and three at their third try are not to be served. */
const TRIES = 3;

/** The actions of hawkBit clients: what their campaigns make of them, and what their requests do. */
@Injectable()
export class DdiActions {
  constructor(
    @Inject(DdiRows) readonly rows: DdiRows,
    @Inject(DdiDevices) readonly devices: DdiDevices,
    @Inject(Leases) private readonly leases: Leases,
    @Inject(DdiRecord) readonly record: DdiRecord,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** All that the device ever had, each as it stands now. */
  async all(board: TenantBoard, device: DeviceIdentity): Promise<Action[]> {
    const found: Action[] = [];
    for (const action of await this.rows.actions(device)) {
      if (action.owes) await this.record.payOld(device, action, { isWaiting: false });
      found.push(await this.settle(board, device, action));
    }
    return found;
  }

  /** What it says is on the record. @throws CampaignError `ddi.unknown`, `ddi.busy` */
  async one(board: TenantBoard, device: DeviceIdentity, actionId: number): Promise<Action> {
    const action = await this.rows.action(device, actionId);
    if (action === undefined) throw unknownAction();
    if (action.owes) await this.record.payOld(device, action, { isWaiting: true });
    return this.settle(board, device, action);
  }

  /**
   * Decides on an action as it stands, and again when another request was first.
   * @param rule what becomes of it; undefined: nothing
   * @throws CampaignError `ddi.unknown`, `ddi.busy` and what the rule throws
   */
  async decide(
    board: TenantBoard,
    device: DeviceIdentity,
    actionId: number,
    rule: (action: Action) => Turn | undefined,
  ): Promise<void> {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const action = await this.one(board, device, actionId);
      const turn = rule(action);
      if (turn === undefined || (await this.record.turn(device, action, turn))) return;
    }
    throw busy();
  }

  /**
   * Opens one, and records what it owes in one go with what else there is; what another request has opened meanwhile is answered in its place.
   * @param record is given what this action owes: nothing when it is another's
   */
  async begin(
    device: DeviceIdentity,
    offer: OfferRef,
    opened: { state: ActionState; owes: readonly FactOfServer[] },
    record: (facts: readonly FactOfServer[]) => Promise<void>,
  ): Promise<Action | undefined> {
    const { action, claim } = await this.rows.begin(device, offer, opened);
    if (claim !== null) await this.record.pay(device, action!, { owed: opened.owes, claim }, record);
    else {
      await record([]);
      const isOther = action?.campaignId !== offer.campaignId || action.contentId !== offer.contentId;
      if (isOther) await this.leases.end(device, offer, instant(this.clock.now()));
    }
    return action;
  }

  /** Its campaign may have been recalled, or be over. */
  private async settle(board: TenantBoard, device: DeviceIdentity, action: Action): Promise<Action> {
    if (!isOpen(action.state)) return action;
    const { campaigns, contents } = board;
    const now = this.clock.now();
    const state = standingNow(action, campaigns.get(action.campaignId), contents.get(action.contentId), now);
    if (state === action.state) return action;
    const isTurned = await this.record.turn(device, action, turnTo(state, action));
    return isTurned
      ? { ...action, state, changedAt: now }
      : ((await this.rows.action(device, action.actionId)) ?? action);
  }

  /** Why its link is left out now. Who has not all of its bytes yet needs a lease for them, of which the caps know. */
  async withheld(
    board: TenantBoard,
    device: DeviceIdentity,
    action: Action,
    zone: string,
  ): Promise<HeldBack | undefined> {
    const { campaigns, contents } = board;
    const now = this.clock.now();
    const window = outsideWindow(checkOf(board, { ...device, side: 'server', zone }, action, now));
    const [campaign, content] = [campaigns.get(action.campaignId), contents.get(action.contentId)];
    const held = withheldBy(action, campaign, content, window);
    if (held !== undefined) return held;
    const needsLease = action.state === 'offered' && !action.isTransferred && !action.refusedCancel;
    return needsLease ? this.leases.take(board, device, action, now) : undefined;
  }
}

/** What was taken back is on the record: no other fact says so. */
export function turnTo(
  state: ActionState,
  { contentId, campaignId }: Action,
  gate: 'ended' | 'paused' = 'ended',
): Turn {
  const isTaken = state === 'canceled' || state === 'ended';
  return { state, owes: isTaken ? [{ type: 'OfferWithheld', data: { contentId, campaignId, gate } }] : [] };
}

export const unknownAction = () => refusal('ddi.unknown', '/actionId', 'no such action of this device');
