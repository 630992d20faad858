import { createHash } from 'node:crypto';
import type { Gate } from '#device-protocol/index.js';
import type { Attributes } from '#matching/index.js';
import { checkOf, type TenantBoard } from './board.js';
import { type CampaignState, noCampaign } from './campaign.js';
import { type Caps, isCapped, take, unused, type Usage, usageAt } from './caps.js';
import type { CampaignSettings, DryRunSummary } from './events.js';
import { gateOf } from './offers.js';
import { ChannelSelection, type SelectedOffer } from './selection.js';

/** So long a transfer is taken to last, ms: what it holds of a cap, and keeps other campaigns of its group away. */
export const TRANSFER_MS = 60_000;
const HOUR_MS = 3_600_000;
/** Rivals that are told apart; those with the most devices. */
const RIVALS_TOLD = 50;

/** Why a device that fits had got nothing of the draft by the end. */
export const STARVED_BY = ['cap', 'conflict', 'window'] as const;
/** The same, where it is meant to be so. */
export const HELD_BY = ['wave', 'hold-out'] as const;
type StarvedBy = (typeof STARVED_BY)[number];
type HeldBy = (typeof HELD_BY)[number];

/** Another campaign that fits devices that the draft fits, and of which they can have one at a time, or one for the same content. */
export interface Rival {
  campaignId: string;
  kind: 'group' | 'content';
  devices: number;
  /** Devices at which the draft comes before it, by class, weight and age. */
  won: number;
}

/** What a draft would have come to, by the polls of a time. Counts only. */
export interface DryRunReport {
  /** False where the devices compare: what they are is not known here. */
  isKnowable: boolean;
  polls: number;
  /** That polled. */
  devices: number;
  /** Of those: the selector is true of what is known of them; it is not; nothing is known of them. */
  fits: number | null;
  doesNotFit: number | null;
  unknown: number | null;
  /** Of those that fit: they have got something of it. */
  served: number | null;
  held: Record<HeldBy, number> | null;
  starved: Record<StarvedBy, number> | null;
  bytes: number | null;
  /** In the order of time, those with polls alone. `matches`: contents that devices got. */
  hours: readonly { at: number; polls: number; matches: number | null; bytes: number | null }[];
  rivals: readonly Rival[] | null;
}

/** What is known of a device from a moment on. */
export interface KnownDevice {
  deviceId: string;
  /** `null`: nothing. */
  attributes: Attributes | null;
  zone: string | undefined;
}

/** A device, as little as is needed: there may be a million. */
interface Device {
  deviceId: string;
  zone: string | undefined;
  /** What fits it, shared among all that the same fits; undefined: nothing is known of it. */
  fits: readonly SelectedOffer[] | undefined;
  /** Contents that it has got here; shared, too, while there are none. */
  has: readonly string[];
  hasPolled: boolean;
  /** Why it got nothing of the draft when it asked last. */
  last: StarvedBy | HeldBy | undefined;
  isServed: boolean;
  /** Until when it is busy with a campaign of a group. */
  busy: { campaignId: string; until: number } | undefined;
}

const NOTHING: readonly never[] = [];

/**
 * Replays recorded polls through a draft, beside the campaigns that run now, by the functions that decide in earnest:
 * selection, gates, precedence, caps. All campaigns begin with the time that is replayed, and nobody has got anything yet;
 * a transfer takes a minute. Events come in the order of time.
 */
export class Replay {
  private readonly board: TenantBoard;
  private readonly selection: ChannelSelection;
  private readonly devices = new Map<string, Device>();
  /** One list for all devices that the same fits. */
  private readonly lists = new Map<string, readonly SelectedOffer[]>();
  private readonly usage = new Map<string, Usage & { ends: number[] }>();
  private readonly hours = new Map<number, { polls: number; matches: number; bytes: number }>();
  private readonly rivals = new Map<string, Rival>();
  private readonly isDevices: boolean;
  private polls = 0;

  constructor(
    board: TenantBoard,
    private readonly draft: { campaignId: string; settings: CampaignSettings },
    private readonly from: number,
  ) {
    this.isDevices = draft.settings.mode === 'device';
    this.board = boardWith(board, draft, from);
    this.selection = new ChannelSelection(draft.settings.channel).follow(this.board);
  }

  get size(): number {
    return this.devices.size;
  }

  /** What is known of a device changes. */
  known({ deviceId, attributes, zone }: KnownDevice): void {
    const device = this.of(deviceId);
    device.zone = zone;
    device.fits = attributes === null ? undefined : this.shared(this.selection.matching(attributes, this.from));
  }

  /** @param at ms */
  polled(deviceId: string, at: number): void {
    const hour = this.hourOf(at);
    this.polls += 1;
    hour.polls += 1;
    const device = this.of(deviceId);
    const isFirst = !device.hasPolled;
    device.hasPolled = true;
    if (this.isDevices || device.fits === undefined) return;
    if (isFirst) this.compare(device.fits);
    for (const offer of device.fits) this.consider(device, offer, at);
  }

  report(): DryRunReport {
    const { mode } = this.draft.settings;
    const hours = [...this.hours].sort(([a], [b]) => a - b);
    const polled = [...this.devices.values()].filter(({ hasPolled }) => hasPolled);
    const base = { polls: this.polls, devices: polled.length };
    if (mode === 'device')
      return {
        ...{ isKnowable: false, ...base, fits: null, doesNotFit: null, unknown: null, served: null },
        ...{ held: null, starved: null, bytes: null, rivals: null },
        hours: hours.map(([at, { polls }]) => ({ at, polls, matches: null, bytes: null })),
      };
    const { campaignId } = this.draft;
    const fitting = polled.filter(({ fits }) => fits?.some((offer) => offer.campaignId === campaignId));
    const unknown = polled.filter(({ fits }) => fits === undefined).length;
    const left = fitting.filter(({ isServed }) => !isServed);
    const by = (gate: StarvedBy | HeldBy): number => left.filter(({ last }) => last === gate).length;
    return {
      ...{ isKnowable: true, ...base, fits: fitting.length, unknown },
      doesNotFit: polled.length - fitting.length - unknown,
      served: fitting.length - left.length,
      held: { wave: by('wave'), 'hold-out': by('hold-out') },
      starved: { cap: by('cap'), conflict: by('conflict'), window: by('window') },
      bytes: hours.reduce((sum, [, { bytes }]) => sum + bytes, 0),
      hours: hours.map(([at, hour]) => ({ at, ...hour })),
      rivals: [...this.rivals.values()].sort((a, b) => b.devices - a.devices).slice(0, RIVALS_TOLD),
    };
  }

  private of(deviceId: string): Device {
    let device = this.devices.get(deviceId);
    if (device === undefined)
      this.devices.set(
        deviceId,
        (device = {
          ...{ deviceId, zone: undefined, fits: undefined, has: NOTHING, hasPolled: false },
          ...{ last: undefined, isServed: false, busy: undefined },
        }),
      );
    return device;
  }

  private shared(offers: readonly SelectedOffer[]): readonly SelectedOffer[] {
    const name = offers.map(({ campaignId, contentId }) => `${campaignId} ${contentId}`).join();
    const known = this.lists.get(name) ?? offers;
    this.lists.set(name, known);
    return known;
  }

  private hourOf(at: number) {
    const start = at - (at % HOUR_MS);
    const hour = this.hours.get(start) ?? { polls: 0, matches: 0, bytes: 0 };
    this.hours.set(start, hour);
    return hour;
  }

  /** Who comes first at a device, the draft or those that it shares a group or a content with; `fits` is in their order. */
  private compare(fits: readonly SelectedOffer[]): void {
    const { campaignId, settings } = this.draft;
    const own = fits.findIndex((offer) => offer.campaignId === campaignId);
    if (own === -1) return;
    const seen = new Set<string>();
    fits.forEach((offer, i) => {
      if (offer.campaignId === campaignId || seen.has(offer.campaignId)) return;
      const kind = this.rivalryWith(offer, settings);
      if (kind === undefined) return;
      seen.add(offer.campaignId);
      const rival = this.rivals.get(offer.campaignId) ?? { campaignId: offer.campaignId, kind, devices: 0, won: 0 };
      this.rivals.set(offer.campaignId, { ...rival, devices: rival.devices + 1, won: rival.won + (own < i ? 1 : 0) });
    });
  }

  private rivalryWith({ campaignId, contentId }: SelectedOffer, own: CampaignSettings): Rival['kind'] | undefined {
    const group = this.settingsOf(campaignId).conflictGroup;
    if (group !== null && group === own.conflictGroup) return 'group';
    return own.contents.includes(contentId) ? 'content' : undefined;
  }

  private settingsOf(campaignId: string): CampaignSettings {
    return this.board.campaigns.get(campaignId)!.settings!;
  }

  private consider(device: Device, offer: SelectedOffer, at: number): void {
    const isOwn = offer.campaignId === this.draft.campaignId;
    if (device.has.includes(offer.contentId)) {
      if (isOwn && !device.isServed) device.last = 'conflict'; // another campaign brought it
      return;
    }
    const gate = this.gateFor(device, offer, at);
    if (gate !== undefined) {
      if (isOwn) device.last = gate;
      return;
    }
    device.has = [...device.has, offer.contentId];
    if (this.settingsOf(offer.campaignId).conflictGroup !== null)
      device.busy = { campaignId: offer.campaignId, until: at + TRANSFER_MS };
    if (!isOwn) return;
    device.isServed = true;
    const hour = this.hourOf(at);
    hour.matches += 1;
    hour.bytes += this.sizeOf(offer);
  }

  private sizeOf({ contentId }: SelectedOffer): number {
    return this.board.contents.get(contentId)!.published!.sizeBytes;
  }

  private gateFor(device: Device, offer: SelectedOffer, at: number): StarvedBy | HeldBy | undefined {
    const { deviceId, zone, busy } = device;
    const { channel } = this.draft.settings;
    const held = gateOf(checkOf(this.board, { channel, deviceId, zone, side: 'server' }, offer, at));
    if (held !== undefined) return reasonOf(held.gate);
    const { conflictGroup, caps } = this.settingsOf(offer.campaignId);
    if (conflictGroup !== null && busy !== undefined && busy.until > at && busy.campaignId !== offer.campaignId)
      if (this.settingsOf(busy.campaignId).conflictGroup === conflictGroup) return 'conflict';
    return this.spend(offer, caps, at) ? undefined : 'cap';
  }

  /** From the campaign's caps and those of all together, or from neither. */
  private spend(offer: SelectedOffer, caps: Caps, at: number): boolean {
    const limits = [
      { id: offer.campaignId, caps },
      { id: '', caps: this.board.caps },
    ].filter((limit) => isCapped(limit.caps));
    const bytes = this.sizeOf(offer);
    const spent: [string, Usage & { ends: number[] }][] = [];
    for (const limit of limits) {
      const before = this.usage.get(limit.id) ?? { ...unused(limit.caps, at), ends: [] };
      const ends = before.ends.filter((end) => end > at);
      const taken = take({ ...usageAt(before, limit.caps, at), transfers: ends.length }, limit.caps, bytes);
      if ('retryAfterSeconds' in taken) return false;
      spent.push([limit.id, { ...taken, ends: limit.caps.transfers === null ? [] : [...ends, at + TRANSFER_MS] }]);
    }
    for (const [id, usage] of spent) this.usage.set(id, usage);
    return true;
  }
}

const reasonOf = (gate: Gate): StarvedBy | HeldBy =>
  gate === 'wave' || gate === 'hold-out' ? gate : gate === 'conflict' ? 'conflict' : 'window';

/** What runs now and the draft, as if all of them had begun with the time that is replayed, and none of them ended. */
function boardWith(
  board: TenantBoard,
  { campaignId, settings }: { campaignId: string; settings: CampaignSettings },
  from: number,
): TenantBoard {
  const start = new Date(from).toISOString();
  const always = (state: CampaignState, of: CampaignSettings): CampaignState => ({
    ...state,
    status: 'running',
    settings: { ...of, start, end: null },
  });
  const running = [...board.campaigns].flatMap(([id, state]) =>
    state.settings !== null && (state.status === 'running' || state.status === 'scheduled') && id !== campaignId
      ? [[id, always(state, state.settings)] as const]
      : [],
  );
  return { ...board, campaigns: new Map([...running, [campaignId, always(noCampaign, settings)]]) };
}

/** Of a draft, a place in the log and how many days before it: who has seen one day has not seen thirty. */
export const digestOfDryRun = (settings: CampaignSettings, { position, days }: { position: string; days: number }) =>
  createHash('sha256')
    .update(JSON.stringify([Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1)), position, days]))
    .digest('hex');

/** What can end the reading for a dry run before its end: the time, or so many records, devices, or devices of which something is kept. */
export const CUT_BY = ['time', 'records', 'devices', 'kept'] as const;
export type CutBy = (typeof CUT_BY)[number];

export interface Replayed {
  digest: string;
  /** Encoded: where the log ended. */
  position: string;
  /** So many it was to cover. */
  days: number;
  /** Instants: what it has covered. Where the polls were cut, `until` is how far it got. */
  from: string;
  until: string;
  /** Not all of the time, or not all of what devices had told before, could be read within the limits. */
  isPartial: boolean;
  /** Why not. */
  cutBy: readonly CutBy[];
  report: DryRunReport;
}

/** What a review keeps of a report. */
export function summaryOf({ report, cutBy: _, ...of }: Replayed): DryRunSummary {
  const { isKnowable, polls, devices, fits, served, starved, bytes, rivals, hours } = report;
  const peak = hours.reduce((most, hour) => Math.max(most, hour.bytes ?? 0), 0);
  return {
    ...of,
    ...{ isKnowable, polls, devices, fits, served, bytes },
    starved: starved === null ? null : Object.values(starved).reduce((sum, count) => sum + count, 0),
    peakBytesPerHour: isKnowable ? peak : null,
    rivals: rivals === null ? null : rivals.length,
  };
}
