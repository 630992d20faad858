import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { OfferRef } from '#device-protocol/index.js';
import type { Explanation } from '#matching/index.js';
import { isCapped } from '../caps.js';
import { CampaignError } from '../errors.js';
import { Explainer } from '../explain.js';
import type { HeldBack } from '../offers.js';
import { Leases } from './leases.js';
import { Moments, type Then } from './moments.js';

export class ExplainDevice extends Query<Explanation> {
  constructor(
    readonly tenant: string,
    readonly deviceId: string,
    readonly asked: { campaignId: string; asOf: string | undefined },
    readonly maySeePersonal: boolean,
  ) {
    super();
  }
}

@QueryHandler(ExplainDevice)
export class ExplainDeviceHandler implements IQueryHandler<ExplainDevice> {
  constructor(
    @Inject(Moments) private readonly moments: Moments,
    @Inject(Leases) private readonly leases: Leases,
  ) {}

  /**
   * Nothing is taken, recorded or sent by the question.
   * @throws CampaignError `device.unknown`, `campaign.unknown`: there is none, or there was none then, `explain.*`; EventLogError `as-of.*`
   */
  async execute({ tenant, deviceId, asked, maySeePersonal }: ExplainDevice): Promise<Explanation> {
    const { campaignId, asOf } = asked;
    const then = await this.moments.at(tenant, deviceId, asOf);
    const settings = then.board.campaigns.get(campaignId)?.settings;
    if (!settings) throw new CampaignError('campaign.unknown', { campaignId }, 'no such campaign');
    const refs = settings.contents.map((contentId) => ({ contentId, campaignId }));
    const admissions = await this.admissions(tenant, then, refs);
    const admission = (ref: OfferRef) => (then.isPast ? 'not-kept' : admissions.get(nameOf(ref)));
    const moment = { now: then.at, admission, maySeePersonal };
    const explainer = new Explainer(then.board);
    const offers = refs.flatMap((ref) => explainer.offer(then.device, ref, moment) ?? []);
    const at = new Date(then.at).toISOString();
    return { campaignId, deviceId, by: 'server', at, position: then.position, offers };
  }

  /** Of the campaign, and of all that bring one of its contents: any of them may go before it. */
  private async admissions(
    tenant: string,
    { isPast, at, board, device }: Then,
    refs: readonly OfferRef[],
  ): Promise<Map<string, HeldBack | undefined>> {
    const found = new Map<string, HeldBack | undefined>();
    if (isPast) return found;
    for (const { contentId } of refs)
      for (const [campaignId, { settings, status }] of board.campaigns) {
        if (settings?.contents.includes(contentId) !== true || status !== 'running') continue;
        if (settings.conflictGroup === null && !isCapped(settings.caps) && !isCapped(board.caps)) continue;
        const ref = { contentId, campaignId };
        found.set(nameOf(ref), await this.leases.look(board, { tenant, deviceId: device.deviceId }, ref, at));
      }
    return found;
  }
}

const nameOf = ({ contentId, campaignId }: OfferRef): string => `${contentId} ${campaignId}`;
