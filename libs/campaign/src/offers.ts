import type { ContentTarget, Gate, Offer } from '#device-protocol/index.js';
import { bucketOf, DEVICE_ZONE, inWave, isHeldOut, isInWindow, nextWindowStart } from '#matching/index.js';
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
  priority: settings.priority + CLASS_OFFSET[settings.class],
});

/** One number says both to a handset. Age does not count there: every catalogue would have to be signed anew each day. */
const CLASS_OFFSET = { urgent: 10_000, normal: 0, background: -10_000 } as const;

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

/**
 * The gate that holds a request back, or undefined: everything that the handset checked and the server can check too,
 * again, because the handset's snapshot may be old or its word false. The selector is not among them: its attributes
 * never come here.
 */
export function gateOf(check: GateCheck): HeldBack | undefined {
  const { campaign, content } = check;
  const settings = campaign?.settings;
  if (campaign === undefined || content === undefined || !settings || !offeredAtAll(check, settings))
    return { gate: 'not-offered' };
  if (content.withdrawn) return { gate: 'withdrawn' };
  if (campaign.status === 'draining' && check.isUnderWay === true) return undefined;
  return stateGate(campaign.status, settings, check.now) ?? deviceGate(settings, check);
}

/** Whether this content was ever offered by this campaign to the device's channel, whatever has become of it. */
export const isKnownOffer = (check: GateCheck): boolean => {
  const settings = check.campaign?.settings;
  const wasOffered = check.campaign?.wasScheduled === true || (check.campaign && !isPrivate(check.campaign));
  return check.content !== undefined && !!settings && wasOffered === true && isThere(check, settings);
};

/** Other channels, campaigns of the other side and drafts look the same as what does not exist. */
const offeredAtAll = (check: GateCheck, settings: CampaignSettings): boolean =>
  check.campaign !== undefined && !isPrivate(check.campaign) && isThere(check, settings);

const isThere = ({ channel, contentId, side }: GateCheck, settings: CampaignSettings): boolean =>
  settings.channel === channel && (side === undefined || isOn(settings, side)) && settings.contents.includes(contentId);

function stateGate(status: CampaignState['status'], settings: CampaignSettings, now: number): HeldBack | undefined {
  const hasEnded = isOver(status) || status === 'draining';
  if (hasEnded || (settings.end !== null && Date.parse(settings.end) <= now)) return { gate: 'ended' };
  if (status === 'paused' || status === 'halted') return { gate: 'paused' };
  const startsInMs = Date.parse(settings.start ?? '') - now;
  if (startsInMs > 0) return { gate: 'not-started', retryAfterSeconds: Math.ceil(startsInMs / 1000) };
  return status === 'running' ? undefined : { gate: 'not-running' };
}

function deviceGate(settings: CampaignSettings, { deviceId, now, zone }: GateCheck): HeldBack | undefined {
  const bucket = bucketOf(settings.salt, deviceId);
  if (isHeldOut(bucket, settings.holdOut)) return { gate: 'hold-out' };
  if (!inWave(bucket, settings.waveUpTo, settings.holdOut)) return { gate: 'wave' };
  const { windows } = settings;
  // A window in the device's own zone is the handset's to keep where its zone, an attribute, stays there.
  if (zone === undefined && windows.some((window) => window.zone === DEVICE_ZONE)) return undefined;
  if (isInWindow(windows, now, zone)) return undefined;
  const next = nextWindowStart(windows, now, zone);
  return { gate: 'window', ...(next === undefined ? {} : { retryAfterSeconds: Math.ceil((next - now) / 1000) }) };
}

/** Why the bytes of a running transfer stop: soft pauses and ends let it finish, these do not. */
export function stopsTransfer(campaign: CampaignState | undefined, content: ContentState | undefined): boolean {
  if (campaign === undefined || content === undefined || content.withdrawn) return true;
  return campaign.pause === 'hard' || campaign.recalled;
}
