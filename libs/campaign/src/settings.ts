import {
  type AttributeSchema,
  BUCKETS,
  checkRule,
  checkWindows,
  DEVICE_ZONE,
  nextWindowStart,
} from '#matching/index.js';
import type { Caps } from './caps.js';
import { refusal } from './errors.js';
import type { CampaignSettings, CampaignStatus } from './events.js';
import { conjunction } from './offers.js';

/** What a command knows of the world around its campaign: read from the log by the handler, so that the rules stay pure. */
export interface Surroundings {
  schema: AttributeSchema;
  contentOf: (contentId: string) => 'published' | 'withdrawn' | undefined;
  /** What a content says of whom it is for. */
  selectorOf: (contentId: string) => string;
  /** How many campaigns offer the content in the catalogue now. */
  offersOf: (contentId: string) => number;
  channels: ReadonlySet<string>;
  /** Of another campaign of the tenant. */
  statusOf: (campaignId: string) => CampaignStatus | undefined;
  /** How many people have to approve a campaign before it is scheduled. */
  approvals: number;
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

/** Those of a campaign that is tried again: the same, from the first wave on, at a time of its own. */
export const settingsAgain = ({ waves, waveUpTo, ...same }: CampaignSettings): CampaignSettings => ({
  ...same,
  start: null,
  end: null,
  waves,
  waveUpTo: waves[0]?.upTo ?? waveUpTo,
});

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
  checkOpens(settings);
  checkWaves(settings);
  checkCaps(settings.caps, '/caps');
  checkRule(settings.selector, around.schema, 'selector', '/selector');
  settings.contents.forEach((contentId, i) => {
    // Each may be within the limits, and both together beyond them.
    checkRule(
      conjunction(around.selectorOf(contentId), settings.selector),
      around.schema,
      'selector',
      `/contents/${i}`,
    );
  });
}

/** A window that opens at no hour of the campaign holds back for ever. In the device's own zone that is not known here. */
function checkOpens({ windows, start, end }: CampaignSettings): void {
  if (windows.length === 0 || start === null || windows.some(({ zone }) => zone === DEVICE_ZONE)) return;
  const opens = nextWindowStart(windows, Date.parse(start));
  if (opens === undefined || (end !== null && opens >= Date.parse(end)))
    throw refusal('campaign.window-shut', '/windows', 'no window opens between start and end');
}

/** Waves widen, the first is the one that is open at the start, and the last leaves some to the hold-out at most. */
function checkWaves({ waves, waveUpTo, holdOut }: CampaignSettings): void {
  const [first] = waves;
  if (first === undefined) return;
  if (first.upTo !== waveUpTo) throw refusal('campaign.waves', '/waveUpTo', 'must be where the first wave ends');
  waves.forEach(({ upTo, gate }, i) => {
    const before = i === 0 ? 0 : waves[i - 1]!.upTo;
    if (upTo <= before) throw refusal('campaign.waves', `/waves/${i}/upTo`, 'must be more than the wave before');
    if (i === waves.length - 1 && gate !== null)
      throw refusal('campaign.waves', `/waves/${i}/gate`, 'nothing comes behind the last wave');
  });
  if (waves.at(-1)!.upTo < BUCKETS - holdOut)
    throw refusal(
      'campaign.waves',
      `/waves/${waves.length - 1}/upTo`,
      `must come to ${BUCKETS - holdOut}: all but the hold-out`,
    );
}

/** A cap of nothing is a pause, and says so nowhere. */
export function checkCaps(caps: Caps, pointer: string): void {
  for (const [name, cap] of Object.entries(caps) as [string, number | null][])
    if (cap !== null && cap < 1)
      throw refusal('campaign.caps', `${pointer}/${name}`, 'must be 1 at least, or null for none');
}

/** @throws CampaignError `campaign.window-empty` */
export function checkPeriod(start: string | null, end: string | null): void {
  if (start !== null && end !== null && Date.parse(end) <= Date.parse(start))
    throw refusal('campaign.window-empty', '/end', 'the end must be after the start');
}
