import { type AttributeSchema, checkRule, checkWindows } from '#matching/index.js';
import { refusal } from './errors.js';
import type { CampaignSettings } from './events.js';

/** What a command knows of the world around its campaign: read from the log by the handler, so that the rules stay pure. */
export interface Surroundings {
  schema: AttributeSchema;
  contentOf: (contentId: string) => 'published' | 'withdrawn' | undefined;
  /** How many campaigns offer the content in the catalogue now. */
  offersOf: (contentId: string) => number;
  channels: ReadonlySet<string>;
}

/** All offers of a content stand in one signed file of at most 512 KiB; this many of the longest kind fit. */
export const OFFERS_PER_CONTENT = 20;

/** @throws CampaignError `campaign.content-crowded` naming the content */
export function checkCrowding({ contents }: CampaignSettings, { offersOf }: Surroundings): void {
  contents.forEach((contentId, i) => {
    if (offersOf(contentId) >= OFFERS_PER_CONTENT)
      throw refusal(
        'campaign.content-crowded',
        `/contents/${i}`,
        `${OFFERS_PER_CONTENT} campaigns offer it: complete one`,
      );
  });
}

/** @throws CampaignError naming the field, MatchingError for the selector */
export function checkSettings(settings: CampaignSettings, around: Surroundings): void {
  if (!around.channels.has(settings.channel)) throw refusal('channel.unknown', '/channel', 'no such channel');
  if (settings.contents.length === 0)
    throw refusal('campaign.without-content', '/contents', 'a campaign needs at least one content');
  settings.contents.forEach((contentId, i) => {
    const content = around.contentOf(contentId);
    if (content === undefined) throw refusal('content.unknown', `/contents/${i}`, 'no such content');
    if (content === 'withdrawn') throw refusal('content.withdrawn', `/contents/${i}`, 'this content was withdrawn');
  });
  checkPeriod(settings.start, settings.end);
  checkWindows(settings.windows, '/windows');
  checkRule(settings.selector, around.schema, 'selector', '/selector');
}

/** @throws CampaignError `campaign.window-empty` */
export function checkPeriod(start: string | null, end: string | null): void {
  if (start !== null && end !== null && Date.parse(end) <= Date.parse(start))
    throw refusal('campaign.window-empty', '/end', 'the end must be after the start');
}
