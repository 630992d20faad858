import type { OfferRef } from '#device-protocol/index.js';
import type { DeviceFactByHandset } from '#handset/events.js';
import type { DeviceFactByServer } from './events.js';
import type { MatchingSide } from './offers.js';
import type { DeviceProgress, Step } from './outcomes.js';

type DeviceFact = DeviceFactByHandset | DeviceFactByServer;

/** A fact of one device about one offer, as far as it bears on what it is offered. */
export interface PastFact {
  event: DeviceFact['type'];
  campaignId: string;
  contentId: string;
  /** Its reason, gate or outcome. */
  code: string | null;
  /** When it came here, RFC 3339. */
  at: string;
}

const KEPT: ReadonlySet<string> = new Set<DeviceFact['type']>([
  'OfferMade',
  'OfferWithheld',
  'ContentMatched',
  'ContentRequested',
  'ContentDeclined',
  'GrantIssued',
  'TransferStarted',
  'TransferCompleted',
  'InstallReported',
  'OutcomeConfirmed',
]);

/** undefined for what no offer depends on. */
export function pastFact(fact: { type: string; data: object }, at: string): PastFact | undefined {
  if (!KEPT.has(fact.type)) return undefined;
  const { type: event } = fact as DeviceFact;
  const { campaignId, contentId, ...rest } = fact.data as OfferRef & Partial<Record<string, string>>;
  return { event, campaignId, contentId, code: rest.reason ?? rest.gate ?? rest.outcome ?? null, at };
}

export const historyOf = (
  past: readonly PastFact[],
  ref: OfferRef,
): { event: string; code: string | null; at: string }[] =>
  past
    .filter(({ contentId, campaignId }) => contentId === ref.contentId && campaignId === ref.campaignId)
    .map(({ event, code, at }) => ({ event, code, at }));

/** From its grant on a device has a content, or is getting it, and names it when it asks: by this campaign where it was this one. */
export function takenBy(past: readonly PastFact[], { contentId, campaignId }: OfferRef): PastFact | undefined {
  const taken = past.filter((fact) => fact.contentId === contentId && fact.event === 'GrantIssued');
  return taken.findLast((fact) => fact.campaignId === campaignId) ?? taken.at(-1);
}

/**
 * The refusal of a user or of the device, which is its last word. Whoever tells what he is names the content and no campaign, and
 * who compares by himself remembers which it was.
 */
export const declineOf = (past: readonly PastFact[], ref: OfferRef, side: MatchingSide): PastFact | undefined =>
  past.findLast(
    ({ event, contentId, campaignId, code }) =>
      event === 'ContentDeclined' &&
      code !== 'no-fit' &&
      contentId === ref.contentId &&
      (side === 'server' || campaignId === ref.campaignId),
  );

/** How far the device came with each content of a campaign. */
export function progressOf(past: readonly PastFact[], campaignId: string): DeviceProgress[] {
  const byContent = new Map<string, DeviceProgress>();
  for (const { event, contentId, code, at, ...fact } of past) {
    const step = fact.campaignId === campaignId ? stepOf(event, code) : undefined;
    if (step === undefined) continue;
    const before = byContent.get(contentId) ?? {};
    byContent.set(contentId, { [`${step}At`]: Date.parse(at), ...before });
  }
  return [...byContent.values()];
}

/** Which step of a device with a content a fact is; the first of each counts. */
export function stepOf(event: string, code: string | null): Step | undefined {
  switch (event) {
    case 'GrantIssued':
      return 'granted';
    case 'TransferCompleted':
      return 'transferred';
    case 'InstallReported':
      return code === 'installed' ? 'installed' : 'failed';
    case 'OutcomeConfirmed':
      return code === 'confirmed' ? 'confirmed' : 'failed';
    case 'ContentDeclined':
      return code === 'no-fit' ? undefined : 'declined';
    default:
      return undefined;
  }
}
