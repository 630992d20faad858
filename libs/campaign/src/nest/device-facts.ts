import { Inject, Injectable } from '@nestjs/common';
import type { DeviceFact, FactBatchAnswer } from '#device-protocol/index.js';
import { EventCatalog, EventLogError, PostgresLog, type Tx } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import type { DeviceIdentity } from '#identity/nest/identity.module.js';
import { checkOf } from '../board.js';
import { CampaignError } from '../errors.js';
import { checkEpochs, checkFactTypes, concernsOffer, type FactSequence, newFacts } from '../facts.js';
import { isKnownOffer } from '../offers.js';
import { FactBudget } from './fact-budget.js';
import { deviceContext } from './fact-writer.js';
import { LiveBoard } from './live-board.js';

/** Takes the facts of a handset's own queue. */
@Injectable()
export class DeviceFacts {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(PostgresLog) private readonly log: PostgresLog,
    @Inject(EventCatalog) private readonly catalog: EventCatalog,
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(FactBudget) private readonly budget: FactBudget,
  ) {}

  /**
   * All or nothing: one fact that is none refuses the batch. A fact about what was never offered on the device's channel
   * is accepted and dropped: it changes nothing, and a queue that holds one by mistake is not stuck behind it. The row of the device's sequence is locked, so that two
   * batches of one device go one after the other; row and facts commit together, before the answer.
   * @throws CampaignError `facts.unknown-type`, `facts.malformed`, `facts.too-many`
   */
  async accept(device: DeviceIdentity, facts: readonly DeviceFact[]): Promise<FactBatchAnswer> {
    const { tenant, deviceId, epoch } = device;
    checkFactTypes(facts);
    checkEpochs(facts, epoch);
    facts.forEach((fact, i) => this.checkData(fact, i));
    this.budget.spend(device, facts.length);
    const board = await this.board.tenant(tenant);
    const isOurs = (fact: DeviceFact) => concernsOffer(fact, (ref) => isKnownOffer(checkOf(board, device, ref, 0)));
    return this.databases.actor.inTenant(tenant, async (tx) => {
      const { fresh, highest } = newFacts(facts, await heldBy(tx, tenant, deviceId));
      if (fresh.length === 0) return { accepted: highest };
      await tx.query('update ops.device_sequence set epoch = $3, n = $4 where tenant = $1 and device_id = $2', [
        tenant,
        deviceId,
        highest.epoch,
        highest.n,
      ]);
      const context = deviceContext(tenant, deviceId);
      const appended = fresh.filter(isOurs).map(({ type, data, occurredAt, seq }) => ({
        subject: deviceId,
        context,
        event: { type, data },
        occurredAt,
        sequence: { source: `device:${deviceId}`, ...seq },
      }));
      await this.log.appendFactsIn(tx, 'muster.device', appended);
      return { accepted: highest };
    });
  }

  private checkData({ type, data }: DeviceFact, i: number): void {
    try {
      this.catalog.check('muster.device', { type, data });
    } catch (error) {
      if (!(error instanceof EventLogError)) throw error;
      const fields = error.fields.map(({ pointer, message }) => ({ pointer: `/facts/${i}/data${pointer}`, message }));
      throw new CampaignError('facts.malformed', { type }, 'a fact against its schema', fields);
    }
  }
}

/** The highest sequence in the log, its row locked until the transaction ends. */
async function heldBy(tx: Tx, tenant: string, deviceId: string): Promise<FactSequence> {
  await tx.query(
    'insert into ops.device_sequence (tenant, device_id, epoch, n) values ($1, $2, 0, 0) on conflict do nothing',
    [tenant, deviceId],
  );
  const [row] = await tx.query<FactSequence>(
    'select epoch, n from ops.device_sequence where tenant = $1 and device_id = $2 for update',
    [tenant, deviceId],
  );
  return row ?? { epoch: 0, n: 0 };
}
