import { Inject, Injectable } from '@nestjs/common';
import { Databases } from '#event-log/nest/event-log.module.js';
import type { CampaignSettings } from '../events.js';
import { type Outcome, OUTCOMES } from '../outcomes.js';
import { type Counted, countOutcomes } from '../outcome-view.js';

/** What has become of a campaign's devices, by the read model: it may trail the log by a moment. */
@Injectable()
export class Outcomes {
  constructor(@Inject(Databases) private readonly databases: Databases) {}

  /** @param since of those alone that were granted it since then */
  of(
    tenant: string,
    campaignId: string,
    { timeouts }: Pick<CampaignSettings, 'timeouts'>,
    { now, since }: { now: number; since?: string },
  ): Promise<Counted> {
    return this.databases.insight.inTenant(tenant, (tx) =>
      countOutcomes(tx, { tenant, campaignId }, { timeouts, now, since }),
    );
  }

  async ofDevice(
    tenant: string,
    campaignId: string,
    { timeouts }: Pick<CampaignSettings, 'timeouts'>,
    { now, deviceId }: { now: number; deviceId: string },
  ): Promise<Outcome | undefined> {
    const { tally } = await this.databases.insight.inTenant(tenant, (tx) =>
      countOutcomes(tx, { tenant, campaignId }, { timeouts, now, deviceId }),
    );
    return OUTCOMES.find((outcome) => tally[outcome] > 0);
  }
}
