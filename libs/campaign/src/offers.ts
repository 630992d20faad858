import type { ContentTarget, Gate, Offer } from '#device-protocol/index.js';
import {
  bucketOf,
  BUCKETS,
  DEVICE_ZONE,
  type GateName,
  inWave,
  isHeldOut,
  isInWindow,
  nextWindowStart,
  type WeeklyWindow,
} from '#matching/index.js';
import { type CampaignState, isOver, isPrivate } from './campaign.js';
import type { ContentState } from './content.js';
import type { CampaignSettings } from './events.js';

/** Both selectors must hold; `true` is left out so that a rule stays readable on the handset. */
export function conjunction(content: string, campaign: string): string {
  if (content === 'true') return campaign;
  return campaign === 'true' ? content : `(${content}) && (${campaign})`;
}

/** Where selectors are compared: with a catalogue on the handset, or with what the handset tells of itself here. */
export type MatchingSide = 'device' | 'server';

const isOn = ({ mode }: CampaignSettings, side: MatchingSide): boolean => mode === 'either' || mode === side;

/** True while a campaign's offers stand in the catalogue of its channel. */
export const isOffered = ({ status, settings }: CampaignState): boolean =>
  (status === 'scheduled' || status === 'running') && settings !== null && isOn(settings, 'device');

/** True while the server looks whether it fits those who tell what they are: also when a gate may hold it back, which is then on the record. */
export const isSelected = ({ status, settings }: CampaignState): boolean =>
  ['scheduled', 'running', 'paused', 'halted'].includes(status) && settings !== null && isOn(settings, 'server');

/** What the catalogue says of a content; undefined while nobody offers it. */
export function contentTarget(
  { published, withdrawn }: ContentState,
  campaigns: readonly (readonly [campaignId: string, state: CampaignState])[],
): ContentTarget | undefined {
  if (published === null || withdrawn) return undefined;
  const offers = campaigns
    .filter(([, state]) => isOffered(state) && state.settings!.contents.includes(published.contentId))
    .map(([campaignId, { settings }]) => offerOf(campaignId, settings!, published.selector));
  return offers.length === 0 ? undefined : { description: published.description, offers };
}

const offerOf = (campaign: string, settings: CampaignSettings, contentSelector: string): Offer => ({
  campaign,
  selector: conjunction(contentSelector, settings.selector),
  salt: settings.salt,
  waveUpTo: settings.waveUpTo,
  holdOut: settings.holdOut,
  start: settings.start!,
  end: settings.end,
  windows: settings.windows,
  priority: cataloguePriority(settings),
});

/** One number says both to a handset. Age does not count there: every catalogue would have to be signed anew each day. */
const CLASS_OFFSET = { urgent: 10_000, normal: 0, background: -10_000 } as const;

export const cataloguePriority = ({ priority, class: of }: CampaignSettings): number => priority + CLASS_OFFSET[of];

export interface GateCheck {
  contentId: string;
  content: ContentState | undefined;
  campaign: CampaignState | undefined;
  channel: string;
  deviceId: string;
  /** Milliseconds. */
  now: number;
  /** Absent: on whichever. */
  side?: MatchingSide;
  /** IANA zone of the device, where it has told it. */
  zone?: string;
  /** It was granted this before: what is under way goes on while the campaign drains. */
  isUnderWay?: boolean;
}

export interface HeldBack {
  gate: Gate;
  retryAfterSeconds?: number;
}

/** A check of something that exists. */
export interface OpenCheck extends GateCheck {
  content: ContentState;
  campaign: CampaignState & { settings: CampaignSettings };
  /** Filled in when first asked for. */
  bucket?: number;
}

/** One gate: the first of them that holds is the answer to a request, and an explanation asks every one. */
export interface Question {
  name: GateName;
  held: (check: OpenCheck) => HeldBack | undefined;
}

const NOT_OFFERED: HeldBack = { gate: 'not-offered' };

/** Of what stands, whenever it is asked. Other channels, campaigns of the other side and drafts look the same as what does not exist. */
export const STANDING: readonly Question[] = [
  {
    name: 'channel',
    held: ({ campaign: { settings }, channel }) => (settings.channel === channel ? undefined : NOT_OFFERED),
  },
  {
    name: 'mode',
    held: ({ campaign: { settings }, side }) => (side === undefined || isOn(settings, side) ? undefined : NOT_OFFERED),
  },
  {
    name: 'offered',
    held: ({ campaign, contentId }) =>
      isPrivate(campaign) || !campaign.settings.contents.includes(contentId) ? NOT_OFFERED : undefined,
  },
  { name: 'withdrawn', held: ({ content }) => (content.withdrawn ? { gate: 'withdrawn' } : undefined) },
];

/** Of the moment and of the device. */
export const MOMENTARY: readonly Question[] = [
  {
    name: 'ended',
    held: ({ campaign: { status, settings }, now }) =>
      isOver(status) || status === 'draining' || timesOf(settings).end <= now ? { gate: 'ended' } : undefined,
  },
  {
    name: 'paused',
    held: ({ campaign: { status } }) => (status === 'paused' || status === 'halted' ? { gate: 'paused' } : undefined),
  },
  {
    name: 'not-started',
    held({ campaign: { settings }, now }) {
      const startsInMs = timesOf(settings).start - now;
      return startsInMs > 0 ? { gate: 'not-started', retryAfterSeconds: Math.ceil(startsInMs / 1000) } : undefined;
    },
  },
  {
    name: 'not-running',
    held: ({ campaign: { status } }) => (status === 'running' ? undefined : { gate: 'not-running' }),
  },
  {
    name: 'hold-out',
    held(check) {
      const { holdOut } = check.campaign.settings;
      return holdOut > 0 && isHeldOut(bucketFor(check), holdOut) ? { gate: 'hold-out' } : undefined;
    },
  },
  {
    name: 'wave',
    held(check) {
      const { waveUpTo, holdOut } = check.campaign.settings;
      const isAll = waveUpTo >= BUCKETS && holdOut === 0; // whatever the bucket, which costs a hash
      return isAll || inWave(bucketFor(check), waveUpTo, holdOut) ? undefined : { gate: 'wave' };
    },
  },
  { name: 'window', held: windowGate },
];

/** Every offer of every poll asks for them; settings are replaced and never changed. */
const times = new WeakMap<CampaignSettings, { start: number; end: number }>();

/** ms; NaN where there is no start yet, without end the end of time. */
function timesOf(settings: CampaignSettings): { start: number; end: number } {
  let known = times.get(settings);
  if (known === undefined) {
    const { start, end } = settings;
    times.set(settings, (known = { start: Date.parse(start ?? ''), end: end === null ? Infinity : Date.parse(end) }));
  }
  return known;
}

export const bucketFor = (check: OpenCheck): number =>
  (check.bucket ??= bucketOf(check.campaign.settings.salt, check.deviceId));

/** What was granted goes on while its campaign drains, whatever the gates of the moment say. */
export const isLetGoOn = ({ campaign, isUnderWay }: OpenCheck): boolean =>
  campaign.status === 'draining' && isUnderWay === true;

/** Whether there is such an offer at all. */
export const isOpen = (check: GateCheck): check is OpenCheck =>
  check.campaign !== undefined && check.content !== undefined && check.campaign.settings !== null;

/**
 * The gate that holds a request back, or undefined: everything that the handset checked and the server can check too,
 * again, because the handset's snapshot may be old or its word false. The selector is not among them: its attributes
 * never come here.
 */
export function gateOf(check: GateCheck): HeldBack | undefined {
  if (!isOpen(check)) return NOT_OFFERED;
  return firstHeld(STANDING, check) ?? (isLetGoOn(check) ? undefined : firstHeld(MOMENTARY, check));
}

function firstHeld(questions: readonly Question[], check: OpenCheck): HeldBack | undefined {
  for (const { held } of questions) {
    const back = held(check);
    if (back !== undefined) return back;
  }
  return undefined;
}

/** Whether this content was ever offered by this campaign to the device's channel, whatever has become of it. */
export const isKnownOffer = (check: GateCheck): boolean => {
  if (!isOpen(check)) return false;
  const { campaign, channel, side, contentId } = check;
  const { settings } = campaign;
  const isThere =
    settings.channel === channel &&
    (side === undefined || isOn(settings, side)) &&
    settings.contents.includes(contentId);
  return isThere && (campaign.wasScheduled || !isPrivate(campaign));
};

/** A window in the device's own zone is the handset's to keep where its zone, an attribute, stays there. */
export const isZoneNeeded = ({ campaign: { settings }, zone }: OpenCheck): boolean =>
  zone === undefined && settings.windows.some((window) => window.zone === DEVICE_ZONE);

function windowGate(check: OpenCheck): HeldBack | undefined {
  const { now, zone } = check;
  const { windows } = check.campaign.settings;
  if (windows.length === 0 || isZoneNeeded(check)) return undefined;
  const known = shut.get(windows)?.get(zone ?? '');
  const isShut = known !== undefined && known.from <= now && now < known.opens;
  if (!isShut && isInWindow(windows, now, zone)) return undefined;
  const next = isShut ? known.opens : opening(windows, now, zone);
  return { gate: 'window', ...(next === undefined ? {} : { retryAfterSeconds: Math.ceil((next - now) / 1000) }) };
}

/** The window alone, which holds whatever other gate would be named first. */
export const outsideWindow = (check: GateCheck): HeldBack | undefined =>
  isOpen(check) ? windowGate(check) : undefined;

/** By zone: until a window opens, all devices there are told the same; to look for it takes as long as all other gates together. */
const shut = new WeakMap<readonly WeeklyWindow[], Map<string, { from: number; opens: number }>>();
/** More than there are zones. */
const MAX_ZONES = 1_000;

function opening(windows: readonly WeeklyWindow[], now: number, zone: string | undefined): number | undefined {
  const opens = nextWindowStart(windows, now, zone);
  if (opens === undefined) return undefined;
  const kept = shut.get(windows) ?? new Map<string, { from: number; opens: number }>();
  if (kept.size >= MAX_ZONES) kept.clear();
  shut.set(windows, kept.set(zone ?? '', { from: now, opens }));
  return opens;
}

/** Why the bytes of a running transfer stop: soft pauses and ends let it finish, these do not. */
export function stopsTransfer(campaign: CampaignState | undefined, content: ContentState | undefined): boolean {
  if (campaign === undefined || content === undefined || content.withdrawn) return true;
  return campaign.pause === 'hard' || campaign.recalled;
}
