import type { CampaignState, CampaignStatus } from '../campaign.js';
import type { CampaignSettings } from '../events.js';

/** A campaign as routes show it: its settings and where it stands. */
export interface CampaignView extends CampaignSettings {
  campaignId: string;
  status: CampaignStatus;
  /** How it is paused. */
  pause: 'soft' | 'hard' | null;
  /** Aborted with recall. */
  recalled: boolean;
  /** Of its stream: ETag, and what If-Match names. */
  version: number;
}

export function viewOfCampaign(campaignId: string, state: CampaignState, version: number): CampaignView {
  const { settings, status, pause, recalled } = state;
  return { campaignId, ...settings!, status, pause, recalled, version };
}
