import { type Attributes, bucketOf, inWave } from '#matching/index.js';
import type { TenantBoard } from './board.js';
import type { CampaignState } from './campaign.js';
import { ChannelSelection } from './selection.js';

/** eligible: it fits, by what is known of it; unknown: it has told nothing yet, or nothing that the schema of today has; not-knowable: it compares by itself. */
export const ELIGIBILITIES = ['eligible', 'unknown', 'not-knowable'] as const;
export type Eligibility = (typeof ELIGIBILITIES)[number];

/** Whom one campaign is for, by the functions that decide when a device asks. */
export class Audience {
  private readonly selection: ChannelSelection;

  constructor(
    board: TenantBoard,
    campaignId: string,
    private readonly campaign: CampaignState,
    private readonly now: number,
  ) {
    const { settings } = campaign;
    const start = settings!.start ?? new Date(now).toISOString();
    const alone: CampaignState = { ...campaign, status: 'running', settings: { ...settings!, start } };
    this.selection = new ChannelSelection(settings!.channel).follow({
      ...board,
      campaigns: new Map([[campaignId, alone]]),
    });
  }

  /** @returns false for who is held out or in no wave yet, whatever it is */
  mayHave(deviceId: string): boolean {
    const { salt, waveUpTo, holdOut } = this.campaign.settings!;
    return inWave(bucketOf(salt, deviceId), waveUpTo, holdOut);
  }

  /** @param attributes null: nothing is known of it. @returns undefined when it does not fit */
  eligibility(attributes: Attributes | null): Eligibility | undefined {
    const { mode } = this.campaign.settings!;
    if (mode === 'device') return 'not-knowable';
    if (attributes === null) return mode === 'either' ? 'not-knowable' : 'unknown';
    return this.selection.matching(attributes, this.now).length > 0 ? 'eligible' : undefined;
  }
}
