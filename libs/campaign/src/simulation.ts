import type { OfferRef } from '#device-protocol/index.js';
import { type Attributes, checkRule, type ExplainedOffer, type MatchableOffer, matchOffer } from '#matching/index.js';
import { checkOf, type TenantBoard } from './board.js';
import { type CampaignState, evolve, noCampaign } from './campaign.js';
import { isCapped, LEASE_MS, take, unused, type Usage, usageAt } from './caps.js';
import { isAtWork, rivalsOf } from './conflicts.js';
import { type CampaignCommand, decide, type OmitOfEach } from './decide.js';
import { dueByClock } from './due.js';
import { Explainer } from './explain.js';
import type { CampaignEvent } from './events.js';
import { contentTarget, gateOf, type HeldBack, isOffered, type MatchingSide } from './offers.js';
import { outcomeOfAll, type Tally } from './outcomes.js';
import type { PastFact } from './past.js';
import { ChannelSelection } from './selection.js';
import { selectFor } from './server-side.js';
import { DevicesOf, type Manner, TICK_MS } from './simulated-devices.js';
import { isSupervised, supervise } from './supervise.js';

/** One content each. */
export interface SimulatedCampaign extends OfferRef {
  /** What becomes of devices that get it. */
  manner: Manner;
}

export interface VirtualDevice {
  no: number;
  deviceId: string;
  channel: string;
  side: MatchingSide;
  zone: string;
  attributes: Attributes;
  /** Asks for everything by its id, as one with an old catalogue or a bad mind may. */
  isCurious: boolean;
}

/** What the server answered to one device about one offer. */
export interface Decision extends OfferRef {
  device: VirtualDevice;
  now: number;
  /** undefined: it was granted. */
  held: HeldBack | undefined;
  campaign: CampaignState;
}

export interface Watcher {
  decided(decision: Decision): void;
  /** @param before the event, the campaign and what had become of the devices of its wave */
  recorded(event: CampaignEvent, before: { campaign: CampaignState; ofWave: Tally; now: number }): void;
  /** @param granted whether the device got it by the poll behind it @param held the gate that it was told */
  explained(
    explained: ExplainedOffer,
    found: { device: VirtualDevice; granted: boolean; held: HeldBack | undefined },
  ): void;
}

export type Order = OmitOfEach<CampaignCommand, 'by' | 'now' | 'around' | 'underWay'>;

export interface SimulationOptions {
  board: TenantBoard;
  campaigns: readonly SimulatedCampaign[];
  devices: number;
  deviceOf: (no: number) => VirtualDevice;
  /** What people do, by tick. */
  people: (tick: number) => readonly Order[];
  watcher: Watcher;
  /** Which offers a device is explained before a poll; all of them are compared with what the poll brings. */
  asks: (device: VirtualDevice, round: number, campaign: number) => boolean;
}

/** A handset asks once in a day and a half, if it does. */
export const POLL_TICKS = 72;
/** The others are asleep from their first poll on. */
export const comesAgain = (no: number): boolean => no % 5 < 2;

/**
 * A tenant's days with very many handsets, by the rules of this room alone: what a server does around them (its database, its
 * clock, its connections) is done here in memory, one tick of half an hour after the other.
 */
export class Simulation {
  now: number;
  private tick = 0;
  private readonly devices: readonly DevicesOf[];
  private readonly selections = new Map<string, ChannelSelection>();
  private readonly catalogues = new Map<string, { revision: number; offered: readonly Offered[] }>();
  private readonly usages = new Map<string, Usage>();
  private readonly byContent = new Map<string, number[]>();
  private readonly numberOf: ReadonlyMap<string, number>;
  private explainer: { revision: number; explainer: Explainer } | undefined;

  constructor(
    private readonly options: SimulationOptions,
    private readonly begin: number,
  ) {
    const { campaigns, devices } = options;
    this.now = begin;
    this.devices = campaigns.map(({ manner }, i) => new DevicesOf(devices, begin, manner, i));
    this.numberOf = new Map(campaigns.map(({ campaignId }, i) => [campaignId, i]));
    campaigns.forEach(({ contentId }, i) =>
      this.byContent.set(contentId, [...(this.byContent.get(contentId) ?? []), i]),
    );
  }

  /** Gives a command to the rules, and takes over what follows. */
  order(order: Order, by = 'person:1'): void {
    const { board, watcher } = this.options;
    const { campaignId } = order.data;
    const before = board.campaigns.get(campaignId) ?? noCampaign;
    const number = this.numberOf.get(campaignId)!;
    const command = { ...order, by, now: this.now, around: around(board), underWay: this.devices[number]!.underWay };
    for (const event of decide(before, command)) {
      const campaign = board.campaigns.get(campaignId) ?? noCampaign;
      watcher.recorded(event, { campaign, ofWave: this.devices[number]!.ofWave, now: this.now });
      const state = evolve(campaign, event);
      board.campaigns.set(campaignId, state);
      board.revision += 1;
      if (event.type === 'WaveOpened' || event.type === 'CampaignStarted')
        this.devices[number]!.opened(Date.parse(state.waveOpenedAt!));
    }
  }

  /** The clock goes last: a timer is late by so much at the worst. */
  step(): void {
    this.now = this.begin + this.tick * TICK_MS;
    const { board, campaigns, people } = this.options;
    for (const order of people(this.tick)) this.order(order);
    campaigns.forEach(({ campaignId }, i) => {
      const settings = board.campaigns.get(campaignId)?.settings;
      if (settings) this.devices[i]!.comeTo(this.tick, settings.timeouts);
    });
    this.polls();
    for (const { campaignId } of campaigns) this.duties(campaignId);
    this.tick += 1;
  }

  private duties(campaignId: string): void {
    const { campaigns } = this.options.board;
    const state = campaigns.get(campaignId);
    if (state === undefined) return;
    const due = dueByClock(campaignId, state, this.now);
    if (due !== undefined) this.order(due as Order, 'system:clock');
    const after = campaigns.get(campaignId)!;
    if (!isSupervised(after)) return;
    const { all, ofWave } = this.devices[this.numberOf.get(campaignId)!]!;
    const counted = { all, ofWave: after.settings!.waves.length === 0 ? all : ofWave, now: this.now };
    const verdict = supervise(campaignId, after, counted);
    if (verdict !== undefined) this.order(verdict, 'system:supervisor');
  }

  private polls(): void {
    const { devices, deviceOf } = this.options;
    const round = Math.floor(this.tick / POLL_TICKS);
    for (let no = this.tick % POLL_TICKS; no < devices; no += POLL_TICKS)
      if (round === 0 || comesAgain(no)) this.poll(deviceOf(no), round);
  }

  private poll(device: VirtualDevice, round: number): void {
    const explained = this.explainAll(device, round);
    const found = new Map<string, HeldBack | 'granted'>();
    const { board, watcher } = this.options;
    const answer: Answering = (ref, before) => {
      if (found.size > 0 && explained.has(ref.campaignId)) this.explainBehind(explained, device, ref);
      const held = before ?? this.admit(device, ref);
      const { contentId, campaignId } = ref;
      if (explained.size > 0) found.set(campaignId, held ?? 'granted');
      const campaign = board.campaigns.get(campaignId)!;
      watcher.decided({ contentId, campaignId, device, now: this.now, held, campaign }); // no spread: ten million times
      return held;
    };
    if (device.side === 'server') this.pollServer(device, answer);
    else this.pollDevice(device, answer);
    for (const each of explained.values()) {
      const what = found.get(each.campaignId);
      const held = what === 'granted' ? undefined : what;
      watcher.explained(each, { device, granted: what === 'granted', held });
    }
  }

  /** As availability.ts and transmissions.ts have it. */
  private pollServer(device: VirtualDevice, answer: Answering): void {
    const { board } = this.options;
    const selection = this.selectionOf(device.channel).follow(board);
    const { fits, held } = selectFor(board, selection, device, this.now);
    const done = new Set<string>();
    for (const offer of fits) {
      const { contentId } = offer;
      if (done.has(contentId) || this.has(device, contentId)) continue;
      if (answer(offer, undefined) === undefined) done.add(contentId);
    }
    for (const each of held) if (!this.has(device, each.contentId)) answer(each, each);
  }

  /** As a handset that compares by itself and exchange.ts have it. */
  private pollDevice(device: VirtualDevice, answer: Answering): void {
    for (const { contentId, offers } of this.catalogueOf(device.channel)) {
      if (this.has(device, contentId)) continue;
      const fits = offers.filter((offer) => matchOffer(offer, { ...device, now: this.now }).fits);
      const best = fits.sort((a, b) => b.priority - a.priority)[0];
      if (best !== undefined) this.request(device, { contentId, campaignId: best.campaign }, answer);
    }
    if (!device.isCurious) return;
    for (const { contentId, campaignId } of this.options.campaigns)
      if (!this.has(device, contentId)) this.request(device, { contentId, campaignId }, answer);
  }

  private catalogueOf(channel: string): readonly Offered[] {
    const { board } = this.options;
    const kept = this.catalogues.get(channel);
    if (kept?.revision === board.revision) return kept.offered;
    const here = [...board.campaigns].filter(([, { settings }]) => settings?.channel === channel);
    const offered = [...board.contents].flatMap(([contentId, content]) => {
      const offers = contentTarget(content, here)?.offers ?? [];
      const checked = offers.map((offer) => ({
        ...offer,
        selector: checkRule(offer.selector, board.schema, 'selector'),
      }));
      return checked.length === 0 ? [] : [{ contentId, offers: checked }];
    });
    this.catalogues.set(channel, { revision: board.revision, offered });
    return offered;
  }

  private request(device: VirtualDevice, ref: OfferRef, answer: Answering): void {
    const { board } = this.options;
    if (board.campaigns.has(ref.campaignId))
      answer(ref, gateOf(checkOf(board, { ...device, zone: undefined, side: 'device' }, ref, this.now)));
  }

  /** As admissions.ts and leases.ts have it. */
  private admit(device: VirtualDevice, ref: OfferRef): HeldBack | undefined {
    const held = this.isFor(device, ref) ? this.lookAtLeases(device, ref) : ({ gate: 'not-offered' } as const);
    if (held !== undefined) return held;
    const { board } = this.options;
    const number = this.numberOf.get(ref.campaignId)!;
    const { caps, timeouts } = board.campaigns.get(ref.campaignId)!.settings!;
    if (isCapped(caps)) {
      const after = take(this.usageOf(ref), caps, sizeOf(board, ref));
      if (!('retryAfterSeconds' in after)) this.usages.set(ref.campaignId, after);
    }
    this.devices[number]!.grant(device.no, this.tick, timeouts);
    return undefined;
  }

  private isFor(device: VirtualDevice, { campaignId }: OfferRef): boolean {
    const { campaigns } = this.options.board;
    const parent = campaigns.get(campaignId)?.parent;
    if (!parent) return true;
    const progress = this.devices[this.numberOf.get(parent.campaignId)!]!.progressOf(device.no);
    const outcome = outcomeOfAll([progress], campaigns.get(parent.campaignId)!.settings!.timeouts, this.now);
    return outcome !== undefined && parent.outcomes.includes(outcome);
  }

  /** What leases.ts would say, and takes nothing. */
  private lookAtLeases(device: VirtualDevice, ref: OfferRef): HeldBack | undefined {
    const { board } = this.options;
    const { caps } = board.campaigns.get(ref.campaignId)!.settings!;
    const isInTheWay = rivalsOf(board, ref.campaignId).some((id) => {
      const lease = this.devices[this.numberOf.get(id)!]!.leaseOf(device.no, LEASE_MS);
      return lease !== undefined && isAtWork(lease, this.now);
    });
    if (isInTheWay) return { gate: 'conflict' };
    if (!isCapped(caps)) return undefined;
    const after = take(this.usageOf(ref), caps, sizeOf(board, ref));
    return 'retryAfterSeconds' in after ? { gate: 'cap', ...after } : undefined;
  }

  private usageOf({ campaignId }: OfferRef): Usage {
    const { caps } = this.options.board.campaigns.get(campaignId)!.settings!;
    const usage = usageAt(this.usages.get(campaignId) ?? unused(caps, this.now), caps, this.now);
    return { ...usage, transfers: this.devices[this.numberOf.get(campaignId)!]!.transfers };
  }

  /** It has it, is getting it, or does not want it: then it says so when it asks, or remembers it. */
  private has({ no }: VirtualDevice, contentId: string): boolean {
    for (const number of this.byContent.get(contentId) ?? NONE)
      if (this.devices[number]!.hasOrDeclined(no)) return true;
    return false;
  }

  private explainAll(device: VirtualDevice, round: number): Map<string, ExplainedOffer> {
    const { campaigns, asks } = this.options;
    const asked = campaigns.filter((_, i) => asks(device, round, i));
    return new Map(asked.length === 0 ? [] : this.explain(device, asked));
  }

  /** What the same poll has already brought may be of its group. */
  private explainBehind(explained: Map<string, ExplainedOffer>, device: VirtualDevice, ref: OfferRef): void {
    if (rivalsOf(this.options.board, ref.campaignId).length === 0) return;
    for (const [campaignId, offer] of this.explain(device, [ref])) explained.set(campaignId, offer);
  }

  private explain(device: VirtualDevice, refs: readonly OfferRef[]): [campaignId: string, offer: ExplainedOffer][] {
    const { board, campaigns } = this.options;
    if (this.explainer?.revision !== board.revision)
      this.explainer = { revision: board.revision, explainer: new Explainer(board) };
    const { explainer } = this.explainer;
    const { deviceId, channel, attributes, zone, side, no } = device;
    const past: PastFact[] = [];
    campaigns.forEach((ref, i) => this.devices[i]!.addPast(past, no, ref));
    const told = side === 'server' ? { attributes, zone, at: null } : ('not-told' as const);
    const known = { deviceId, channel, status: 'active' as const, told, side, past };
    const admission = (of: OfferRef) => this.lookAtLeases(device, of);
    const moment = { now: this.now, admission, withConditions: false };
    return refs.flatMap(({ contentId, campaignId }) => {
      const offer = explainer.offer(known, { contentId, campaignId }, moment);
      return offer === undefined ? [] : [[campaignId, offer]];
    });
  }

  private selectionOf(channel: string): ChannelSelection {
    const selection = this.selections.get(channel) ?? new ChannelSelection(channel);
    this.selections.set(channel, selection);
    return selection;
  }
}

const NONE: readonly number[] = [];

interface Offered {
  contentId: string;
  offers: readonly (MatchableOffer & { campaign: string; priority: number })[];
}

type Answering = (ref: OfferRef, held: HeldBack | undefined) => HeldBack | undefined;

const sizeOf = ({ contents }: TenantBoard, { contentId }: OfferRef): number =>
  contents.get(contentId)!.published!.sizeBytes;

const around = ({ schema, campaigns, contents, approvals }: TenantBoard) => ({
  schema,
  approvals,
  channels: new Set(['main', 'beta']),
  statusOf: (id: string) => campaigns.get(id)?.status,
  offersOf: (contentId: string) =>
    [...campaigns.values()].filter((state) => isOffered(state) && state.settings!.contents.includes(contentId)).length,
  selectorOf: (contentId: string) => contents.get(contentId)?.published?.selector ?? 'true',
  contentOf: (contentId: string) => (contents.has(contentId) ? ('published' as const) : undefined),
});
