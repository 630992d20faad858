import { Inject, Injectable } from '@nestjs/common';
import { type ContentRequests, type Declines, type OfferRef, type RequestAnswer } from '#device-protocol/index.js';
import type { DeviceIdentity } from '#identity/nest/identity.module.js';
import type { Clock } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { checkOf, type TenantBoard } from '../board.js';
import { refusal } from '../errors.js';
import type { DeviceFactByServer } from '../events.js';
import { gateOf, isKnownOffer } from '../offers.js';
import { Admissions } from './admissions.js';
import { FactBudget } from './fact-budget.js';
import { deviceContext, FactWriter } from './fact-writer.js';
import { LiveBoard } from './live-board.js';

interface Decided {
  answer: RequestAnswer;
  facts: DeviceFactByServer[];
}

/** The device-side exchange after the handset has matched: identifiers in, grants or gates out. No attribute comes here. */
@Injectable()
export class Exchange {
  constructor(
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(Admissions) private readonly admissions: Admissions,
    @Inject(FactBudget) private readonly budget: FactBudget,
    @Inject(FactWriter) private readonly writer: FactWriter,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Every gate is checked again, for each identifier; the answer is given when its facts are durable.
   * @throws CampaignError `facts.too-many`
   */
  async request(
    device: DeviceIdentity,
    { snapshotVersion, requests }: ContentRequests,
  ): Promise<{ answers: RequestAnswer[] }> {
    this.budget.spend(device, requests.length);
    const board = await this.board.tenant(device.tenant);
    const now = this.clock.now();
    const decided: Decided[] = [];
    for (const ref of requests) decided.push(await this.decide(board, device, { ref, snapshotVersion, now }));
    await this.record(
      device,
      decided.flatMap(({ facts }) => facts),
    );
    return { answers: decided.map(({ answer }) => answer) };
  }

  private async decide(
    board: TenantBoard,
    device: DeviceIdentity,
    { ref, snapshotVersion, now }: { ref: OfferRef; snapshotVersion: number; now: number },
  ): Promise<Decided> {
    const { contentId, campaignId } = ref;
    const standing = await this.admissions.standingOf(board, device, ref);
    const found =
      gateOf(checkOf(board, { ...device, ...standing }, ref, now)) ??
      (await this.admissions.admit(board, device, ref, { snapshotVersion, now }));
    if ('gate' in found)
      return {
        answer: { contentId, campaignId, ...found },
        // Of what was never offered nothing is recorded: identifiers that a device made up must not fill the log.
        facts:
          found.gate === 'not-offered'
            ? []
            : [{ type: 'OfferWithheld', data: { contentId, campaignId, gate: found.gate } }],
      };
    const { sha256, sizeBytes } = board.contents.get(contentId)!.published!;
    const { grant, url, fact } = found;
    return {
      answer: { contentId, campaignId, grant, url, sizeBytes, sha256 },
      facts: [{ type: 'ContentRequested', data: { contentId, campaignId, snapshotVersion } }, fact],
    };
  }

  /** @throws CampaignError `offer.unknown` naming what was never offered on the device's channel, `facts.too-many` */
  async decline(device: DeviceIdentity, { snapshotVersion, declines }: Declines): Promise<void> {
    this.budget.spend(device, declines.length);
    const board = await this.board.tenant(device.tenant);
    const now = this.clock.now();
    declines.forEach((ref, i) => {
      if (!isKnownOffer(checkOf(board, device, ref, now)))
        throw refusal('offer.unknown', `/declines/${i}`, 'this was never offered');
    });
    const facts = declines.map(({ contentId, campaignId, reason }) => ({
      type: 'ContentDeclined' as const,
      data: { contentId, campaignId, reason, snapshotVersion },
    }));
    await this.record(device, facts);
  }

  private record({ tenant, deviceId }: DeviceIdentity, events: readonly DeviceFactByServer[]): Promise<void> {
    const context = deviceContext(tenant, deviceId);
    return this.writer.append(events.map((event) => ({ subject: deviceId, context, event })));
  }
}
