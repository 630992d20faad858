import type { CampaignState } from './campaign.js';
import type { CampaignCommand } from './decide.js';

type ByClock = Extract<CampaignCommand, { type: 'StartCampaign' | 'CompleteCampaign' }>;

/** What the clock has to say to a campaign; the end goes before the start, for a campaign that slept through both. */
export function dueByClock(
  campaignId: string,
  { status, settings }: CampaignState,
  now: number,
): Omit<ByClock, 'now' | 'by' | 'underWay'> | undefined {
  if (settings === null || !['scheduled', 'running', 'paused', 'halted', 'draining'].includes(status)) return undefined;
  const isOver = settings.end !== null && Date.parse(settings.end) <= now;
  if (status === 'draining') return { type: 'CompleteCampaign', data: { campaignId, reason: 'nothing under way' } };
  if (isOver) return { type: 'CompleteCampaign', data: { campaignId, reason: 'end' } };
  if (status === 'scheduled' && settings.start !== null && Date.parse(settings.start) <= now)
    return { type: 'StartCampaign', data: { campaignId } };
  return undefined;
}
