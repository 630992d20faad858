import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { DeviceIdentity } from '#identity/nest/identity.module.js';
import { CampaignError } from '../../errors.js';
import { FactBudget } from '../fact-budget.js';
import { deviceContext, type FactOfServer, FactWriter } from '../fact-writer.js';
import { type Action, DdiRows, type Turn } from './ddi-rows.js';

type Recording = (facts: readonly FactOfServer[]) => Promise<void>;

const LOOK_MS = 50;
/** Another request of the device is putting it on the record; it takes no longer where the log is well. */
const LOOKS = 100;

/**
 * What is on the record of hawkBit clients. An action and the facts that follow from its change are written as one row; the facts go to
 * the record from there, by whoever changed it or, where that one was cut off, by the next who comes. So of two requests at once one
 * records, and what is lost with a process is recorded yet: twice at worst.
 */
@Injectable()
export class DdiRecord {
  constructor(
    @Inject(DdiRows) private readonly rows: DdiRows,
    @Inject(FactWriter) private readonly writer: FactWriter,
    @Inject(FactBudget) private readonly budget: FactBudget,
  ) {}

  /**
   * Resolves when what it owes is on the record.
   * @param isPatient waits until the log is there again
   * @returns false when another request was first, and nothing is changed
   */
  async turn(device: DeviceIdentity, action: Action, turn: Turn, { isPatient = false } = {}): Promise<boolean> {
    const isOurs = await this.rows.turn(device, action, turn);
    if (isOurs === undefined) return false;
    if (turn.owes.length === 0) return true;
    if (isOurs) await this.pay(device, action, turn.owes, { by: this.by(device, { isPatient }) });
    else await this.paidBy(device, action);
    return true;
  }

  /** Puts on the record what is the caller's to put there. @param by for the first of it, in place of the plain way */
  async pay(
    device: DeviceIdentity,
    { actionId }: Action,
    first: readonly FactOfServer[],
    { by = this.by(device) }: { by?: Recording } = {},
  ): Promise<void> {
    try {
      let owed = first;
      for (let record = by; owed.length > 0; record = this.by(device)) {
        await record(owed);
        owed = await this.rows.paid(device, actionId, owed.length);
      }
    } catch (error) {
      await this.rows.release(device, actionId).catch(() => undefined); // the claim runs out by itself
      throw error;
    }
  }

  /** What somebody was cut off at. @param isWaiting for another who is at it; else that one is left to it */
  async payOld(device: DeviceIdentity, action: Action, { isWaiting }: { isWaiting: boolean }): Promise<void> {
    const owed = await this.rows.claim(device, action.actionId);
    if (owed !== undefined) await this.pay(device, action, owed);
    else if (isWaiting) await this.paidBy(device, action);
  }

  /** The same for what need not be on the record: a client that fetches in a thousand pieces gets them, and is not told of a thousand times. */
  async recordIfRoom(device: DeviceIdentity, event: FactOfServer): Promise<void> {
    try {
      this.budget.spend(device, 1);
    } catch {
      return;
    }
    await this.by(device)([event]);
  }

  /** Another has begun to. @throws CampaignError `ddi.busy`: the device may ask again */
  private async paidBy(device: DeviceIdentity, { actionId }: Action): Promise<void> {
    for (let looks = 0; looks < LOOKS; looks += 1) {
      if ((await this.rows.action(device, actionId))?.owes !== true) return;
      await sleep(LOOK_MS);
    }
    throw busy();
  }

  private by({ tenant, deviceId: subject }: DeviceIdentity, options?: { isPatient: boolean }): Recording {
    const context = deviceContext(tenant, subject);
    return (facts) =>
      this.writer.append(
        facts.map((event) => ({ subject, context, event })),
        options,
      );
  }
}

export const busy = (): CampaignError =>
  new CampaignError('ddi.busy', { retryAfterSeconds: 1 }, 'another request of the device is being answered');
