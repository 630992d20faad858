import { Inject, Injectable } from '@nestjs/common';
import type { DeviceIdentity } from '#identity/nest/identity.module.js';
import type { Clock } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { CampaignError } from '../errors.js';
import { type Bucket, FACT_BUDGET, spendFacts } from '../facts.js';

/** Beyond it buckets are forgotten, full ones first: a device loses nothing by that. */
const DEVICES_AT_MOST = 50_000;

/** Bounds what one device can put into the log. In memory, an instance each: it is no accounting, only a dam. */
@Injectable()
export class FactBudget {
  private readonly buckets = new Map<string, Bucket>();

  constructor(@Inject(CLOCK) private readonly clock: Clock) {}

  /** @throws CampaignError `facts.too-many` with the seconds to wait; nothing is taken then */
  spend({ tenant, deviceId }: Pick<DeviceIdentity, 'tenant' | 'deviceId'>, count: number): void {
    const now = this.clock.now();
    const key = `${tenant}/${deviceId}`;
    const spent = spendFacts(this.buckets.get(key), count, now);
    if ('waitSeconds' in spent)
      throw new CampaignError('facts.too-many', { retryAfterSeconds: spent.waitSeconds }, 'too much of one device');
    if (this.buckets.size >= DEVICES_AT_MOST) this.forgetFull(now);
    this.buckets.set(key, spent);
  }

  private forgetFull(now: number): void {
    for (const [key, bucket] of this.buckets) {
      const refilled = spendFacts(bucket, 0, now);
      if ('left' in refilled && refilled.left >= FACT_BUDGET.burst) this.buckets.delete(key);
    }
    if (this.buckets.size >= DEVICES_AT_MOST) this.buckets.clear(); // or every call would look at all of them
  }
}
