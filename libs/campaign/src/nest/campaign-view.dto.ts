import type { CampaignState, CampaignStatus } from '../campaign.js';
import type { CampaignSettings } from '../events.js';
import { type WindowDto } from './campaign.dto.js';

/** A campaign as routes show it: its settings and where it stands. */
export class CampaignView implements CampaignSettings {
  campaignId!: string;
  name!: string;
  /** Audience. */
  channel!: string;
  /** Content ids. */
  contents!: string[];
  mode!: 'device' | 'server' | 'either';
  /** Narrows the contents' own selectors: CEL over `device`. */
  selector!: string;
  start!: string | null;
  end!: string | null;
  windows!: WindowDto[];
  waveUpTo!: number;
  holdOut!: number;
  salt!: string;
  priority!: number;
  status!: CampaignStatus;
  /** How it is paused; null when it is not. */
  pause!: 'soft' | 'hard' | null;
  /** Aborted with recall. */
  recalled!: boolean;
  /** Of its stream: ETag, and what If-Match names. */
  version!: number;
}

export class CampaignPage {
  items!: CampaignView[];
  /** Cursor of the next page; null on the last one. */
  next!: string | null;
}

export function viewOfCampaign(campaignId: string, state: CampaignState, version: number): CampaignView {
  const { status, pause, recalled } = state;
  const settings = state.settings as Pick<CampaignView, keyof CampaignSettings>;
  return { campaignId, ...settings, status, pause, recalled, version };
}
