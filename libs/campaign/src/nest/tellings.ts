import { Inject, Injectable } from '@nestjs/common';
import type { DeviceIdentity } from '#identity/nest/identity.module.js';
import type { DeviceFactByServer } from '../events.js';
import { gatesOf, newlyHeld, type Selected } from '../server-side.js';
import { Described, type Told } from './described.js';
import { FactBudget } from './fact-budget.js';
import { deviceContext, FactWriter } from './fact-writer.js';

/** Records what a device told of itself and what that led to; what was recorded and holds still is not recorded again. */
@Injectable()
export class Tellings {
  constructor(
    @Inject(Described) private readonly described: Described,
    @Inject(FactBudget) private readonly budget: FactBudget,
    @Inject(FactWriter) private readonly writer: FactWriter,
  ) {}

  /** Resolves when it is durable. @param facts that are new each time @throws CampaignError `facts.too-many` */
  async record(
    device: DeviceIdentity,
    { told, held }: Pick<Selected, 'held'> & { told: Told },
    facts: readonly DeviceFactByServer[],
  ): Promise<void> {
    const before = await this.described.of(device);
    const isNews = !before.isOf(told);
    const gates = gatesOf(held);
    const events: DeviceFactByServer[] = [
      ...(isNews ? [{ type: 'HandsetDescribed' as const, data: told }] : []),
      ...newlyHeld(held, before.gates).map(({ contentId, campaignId, gate }) => ({
        type: 'OfferWithheld' as const,
        data: { contentId, campaignId, gate },
      })),
      ...facts,
    ];
    this.budget.spend(device, events.length);
    const context = deviceContext(device.tenant, device.deviceId);
    await this.writer.append(events.map((event) => ({ subject: device.deviceId, context, event })));
    // Behind the facts: cut off between the two, they are recorded twice, and never not at all.
    const isSame = JSON.stringify(gates) === JSON.stringify(before.gates);
    if (isNews || !isSame) await this.described.keep(device, told, gates);
  }
}
