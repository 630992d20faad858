import type { Gate } from '#device-protocol/index.js';
import type { Attributes } from '#matching/index.js';
import { checkOf, type TenantBoard } from './board.js';
import { gateOf, type HeldBack } from './offers.js';
import type { ChannelSelection, SelectedOffer } from './selection.js';

export interface Asker {
  deviceId: string;
  channel: string;
  /** IANA zone, as the device told it. */
  zone: string;
  /** What counts of what the device told of itself and of what is kept of it (values.ts). */
  attributes: Attributes;
}

/** What the server's comparison comes to. */
export interface Selected {
  /** In the order of precedence; of a content there may be several, and the next counts where the first is not to be had. */
  fits: SelectedOffer[];
  /** Offers that fit and that a gate holds back; none of a content that another campaign brings. */
  held: (SelectedOffer & HeldBack)[];
}

/** Compares a device with every offer of its channel, then asks the gates; nothing of a selector comes out of here. */
export function selectFor(board: TenantBoard, selection: ChannelSelection, asker: Asker, now: number): Selected {
  const fits: SelectedOffer[] = [];
  const held: (SelectedOffer & HeldBack)[] = [];
  const who = { ...asker, side: 'server' as const };
  for (const offer of selection.matching(asker.attributes, now)) {
    const gate = gateOf(checkOf(board, who, offer, now));
    if (gate === undefined) fits.push(offer);
    else held.push(heldBack(offer, gate));
  }
  return { fits, held: withoutThose(held, fits) };
}

/** By name: a spread of both costs more than their gates, and this is asked for every offer of every poll. */
const heldBack = (offer: SelectedOffer, { gate, retryAfterSeconds }: HeldBack): SelectedOffer & HeldBack => ({
  contentId: offer.contentId,
  campaignId: offer.campaignId,
  class: offer.class,
  priority: offer.priority,
  startedAt: offer.startedAt,
  gate,
  ...(retryAfterSeconds === undefined ? undefined : { retryAfterSeconds }),
});

/** What a device gets by another campaign is not held back from it. */
export function withoutThose<O extends { contentId: string }>(
  held: readonly O[],
  got: readonly { contentId: string }[],
): O[] {
  if (held.length === 0 || got.length === 0) return [...held];
  const ids = new Set(got.map(({ contentId }) => contentId));
  return held.filter(({ contentId }) => !ids.has(contentId));
}

/** By `<campaignId> <contentId>`: what was told of a device that asked, so that only news are recorded. */
export type GatesTold = Readonly<Record<string, Gate>>;

const nameOf = ({ campaignId, contentId }: SelectedOffer): string => `${campaignId} ${contentId}`;

export const gatesOf = (held: Selected['held']): GatesTold =>
  Object.fromEntries(held.map((offer) => [nameOf(offer), offer.gate]));

/** Those that were not told before, or otherwise. */
export const newlyHeld = (held: Selected['held'], told: GatesTold): Selected['held'] =>
  held.filter((offer) => told[nameOf(offer)] !== offer.gate);

/** Seconds until the first gate opens that says when; undefined when none does. */
export function opensInSeconds(held: Selected['held']): number | undefined {
  const waits = held.flatMap(({ retryAfterSeconds }) => retryAfterSeconds ?? []);
  return waits.length === 0 ? undefined : Math.min(...waits);
}
