import { Inject, Injectable } from '@nestjs/common';
import type { DeviceFact, FactBatchAnswer } from '#device-protocol/index.js';
import { EventCatalog, EventLogError, PostgresLog, type Tx } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import type { DeviceIdentity } from '#identity/nest/identity.module.js';
import { CampaignError } from '../errors.js';
import { checkEpochs, checkFactTypes, type FactSequence, newFacts } from '../facts.js';
import { deviceContext } from './fact-writer.js';

/** Takes the facts of a handset's own queue. */
@Injectable()
export class DeviceFacts {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(PostgresLog) private readonly log: PostgresLog,
    @Inject(EventCatalog) private readonly catalog: EventCatalog,
  ) {}

  /**
   * All or nothing: one fact that is none refuses the batch. The row of the device's sequence is locked, so that two
   * batches of one device go one after the other; row and facts commit together, before the answer.
   * @throws CampaignError `facts.unknown-type`, `facts.malformed`
   */
  async accept({ tenant, deviceId, epoch }: DeviceIdentity, facts: readonly DeviceFact[]): Promise<FactBatchAnswer> {
    checkFactTypes(facts);
    checkEpochs(facts, epoch);
    facts.forEach((fact, i) => this.checkData(fact, i));
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
      const appended = fresh.map(({ type, data, occurredAt, seq }) => ({
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
