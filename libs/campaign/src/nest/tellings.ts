import { Inject, Injectable } from '@nestjs/common';
import type { AvailabilityRequest } from '#device-protocol/index.js';
import type { DeviceIdentity } from '#identity/nest/identity.module.js';
import { gatesOf, newlyHeld, type Selected } from '../server-side.js';
import { Described, type Told } from './described.js';
import { FactBudget } from './fact-budget.js';
import { deviceContext, type FactOfServer, FactWriter } from './fact-writer.js';

/** A request costs one fact of the device's budget, and one more for each so many characters that it tells. */
const CHARACTERS_A_FACT = 4_096;

/** Records what a device told of itself and what that led to; what was recorded and holds still is not recorded again. */
@Injectable()
export class Tellings {
  constructor(
    @Inject(Described) private readonly described: Described,
    @Inject(FactBudget) private readonly budget: FactBudget,
    @Inject(FactWriter) private readonly writer: FactWriter,
  ) {}

  /** Before anything is done for it: a device that asks without end must not cost more than one that reports without end. @throws CampaignError `facts.too-many` */
  charge(device: DeviceIdentity, { attributes }: AvailabilityRequest): void {
    this.budget.spend(device, 1 + Math.floor(JSON.stringify(attributes).length / CHARACTERS_A_FACT));
  }

  /**
   * Resolves when it is durable.
   * @param facts that are new each time
   * @param isTold false: it was not asked yet what it is, and what stands for that is no news
   * @throws CampaignError `facts.too-many`
   */
  async record(
    device: DeviceIdentity,
    { told, held }: Pick<Selected, 'held'> & { told: Told },
    facts: readonly FactOfServer[],
    { isTold = true } = {},
  ): Promise<void> {
    const before = await this.described.of(device);
    const isNews = isTold && !before.isOf(told);
    const gates = gatesOf(held);
    const events: FactOfServer[] = [
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
