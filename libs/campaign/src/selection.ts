import { createHash } from 'node:crypto';
import {
  type AttributeSchema,
  type Attributes,
  checkRule,
  type CheckedRule,
  MatchingError,
  type MatchingErrorCode,
  SelectorIndex,
} from '#matching/index.js';
import type { TenantBoard } from './board.js';
import type { CampaignState } from './campaign.js';
import type { ContentState } from './content.js';
import type { CampaignSettings } from './events.js';
import { conjunction, isSelected } from './offers.js';
import { byText, inOrder, type Ranked } from './precedence.js';

/** An offer of one content by one campaign. */
export interface SelectedOffer extends Ranked {
  contentId: string;
}

/** What an offer was indexed from; another object means that it may have changed. */
interface Indexed {
  campaign: CampaignState;
  contents: readonly (ContentState | undefined)[];
  offers: readonly SelectedOffer[];
}

/**
 * What the server selects from on one channel: which offers' selectors are true of a device. Follows the board in
 * steps: a campaign that has changed has its offers taken out and put in again, and all others stay as they are.
 */
export class ChannelSelection {
  private readonly index = new SelectorIndex<SelectedOffer>();
  private readonly indexed = new Map<string, Indexed>();
  private revision = -1;
  private named = '';

  constructor(private readonly channel: string) {}

  /** Keys that the digest of this selection stands for. */
  get campaigns(): string[] {
    return [...this.indexed.keys()].sort();
  }

  /** First 6 bytes, hex, of sha-256 over the campaigns: what a poll names. */
  get digest(): string {
    return this.named;
  }

  /** @param board of the tenant, as it is now */
  follow(board: TenantBoard): this {
    if (board.revision === this.revision) return this;
    for (const campaignId of this.indexed.keys()) if (!this.isHere(board, campaignId)) this.drop(campaignId);
    for (const [campaignId, campaign] of board.campaigns)
      if (this.isHere(board, campaignId)) this.put(board, campaignId, campaign);
    this.revision = board.revision;
    const about = JSON.stringify([this.channel, this.campaigns]);
    this.named = createHash('sha256').update(about).digest('hex').slice(0, 12);
    return this;
  }

  /** Offers whose selectors are true, in the order of precedence now; gates are not looked at. */
  matching(device: Attributes, now: number): SelectedOffer[] {
    const order = inOrder(now);
    return this.index.matching(device).sort((a, b) => order(a, b) || byText(a.contentId, b.contentId));
  }

  private isHere({ campaigns }: TenantBoard, campaignId: string): boolean {
    const campaign = campaigns.get(campaignId);
    return campaign !== undefined && isSelected(campaign) && campaign.settings!.channel === this.channel;
  }

  private put({ contents, schema }: TenantBoard, campaignId: string, campaign: CampaignState): void {
    const settings = campaign.settings!;
    const found = settings.contents.map((contentId) => contents.get(contentId));
    const before = this.indexed.get(campaignId);
    if (before?.campaign === campaign && found.every((content, i) => content === before.contents[i])) return;
    this.drop(campaignId);
    const offers: SelectedOffer[] = [];
    for (const content of found) {
      if (!content?.published || content.withdrawn) continue;
      const { contentId, selector } = content.published;
      const rule = checkedSelector(conjunction(selector, settings.selector), schema);
      if (typeof rule === 'string') continue;
      const offer = offerIn(contentId, campaignId, settings);
      this.index.set(offer, rule);
      offers.push(offer);
    }
    this.indexed.set(campaignId, { campaign, contents: found, offers });
  }

  private drop(campaignId: string): void {
    for (const offer of this.indexed.get(campaignId)?.offers ?? []) this.index.delete(offer);
    this.indexed.delete(campaignId);
  }
}

/** Both selectors were checked when they were given; their conjunction may still be over a limit, and then fits nobody: its code. */
export function checkedSelector(source: string, schema: AttributeSchema): CheckedRule | MatchingErrorCode {
  try {
    return checkRule(source, schema, 'selector');
  } catch (error) {
    if (error instanceof MatchingError) return error.code;
    throw error;
  }
}

/** A content with the campaign that offers it, as the index and the order of precedence know it. */
export const offerIn = (contentId: string, campaignId: string, settings: CampaignSettings): SelectedOffer => {
  const { priority, start } = settings;
  return { contentId, campaignId, class: settings.class, priority, startedAt: Date.parse(start!) };
};
