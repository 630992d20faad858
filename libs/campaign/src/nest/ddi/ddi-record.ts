import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { RowName } from '#event-log/index.js';
import { CampaignError } from '../../errors.js';
import { FactBudget } from '../fact-budget.js';
import { deviceContext, type FactOfServer, FactWriter } from '../fact-writer.js';
import { type Action, type Claim, DdiRows, type Turn } from './ddi-rows.js';

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
  async turn(device: RowName, action: Action, turn: Turn, { isPatient = false } = {}): Promise<boolean> {
    const turned = await this.rows.turn(device, action, turn);
    if (turned === undefined) return false;
    const { claim } = turned;
    if (claim !== null) await this.pay(device, action, { owed: turn.owes, claim }, this.by(device, { isPatient }));
    else if (turn.owes.length > 0) await this.payOld(device, action, { isWaiting: true });
    return true;
  }

  /** Puts on the record what is the caller's to put there. @param by for the first of it, in place of the plain way */
  async pay(
    device: RowName,
    { actionId }: Pick<Action, 'actionId'>,
    { owed: first, claim }: { owed: readonly FactOfServer[]; claim: Claim },
    by = this.by(device),
  ): Promise<void> {
    try {
      let owed = first;
      for (let record = by; owed.length > 0; record = this.by(device)) {
        await record(owed);
        owed = await this.rows.paid(device, actionId, owed.length, claim);
      }
    } catch (error) {
      await this.rows.release(device, actionId, claim).catch(() => undefined); // the claim runs out by itself
      throw error;
    }
  }

  /**
   * What somebody was cut off at, or is at.
   * @param isWaiting until it is on the record; else what another is at is left to that one
   * @throws CampaignError `ddi.busy`: the device may ask again
   */
  async payOld(
    device: RowName,
    action: Pick<Action, 'actionId'>,
    { isWaiting }: { isWaiting: boolean },
  ): Promise<void> {
    for (let looks = 0; looks < LOOKS; looks += 1) {
      const claimed = await this.rows.claim(device, action.actionId);
      if (claimed !== undefined) return this.pay(device, action, claimed);
      if (!isWaiting || (await this.rows.action(device, action.actionId))?.owes !== true) return;
      await sleep(LOOK_MS);
    }
    throw busy();
  }

  /** The same for what need not be on the record: a client that fetches in a thousand pieces gets them, and is not told of a thousand times. */
  async recordIfRoom(device: RowName, event: FactOfServer): Promise<void> {
    try {
      this.budget.spend(device, 1);
    } catch {
      return;
    }
    await this.by(device)([event]);
  }

  private by({ tenant, deviceId: subject }: RowName, options?: { isPatient: boolean }): Recording {
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
