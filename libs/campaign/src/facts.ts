import type { DeviceFact } from '#device-protocol/index.js';
import type { DeviceFactByHandset } from '#handset/events.js';
import { refusal } from './errors.js';

/** What a handset may say of itself; all else on `muster.device` is the server's to say. */
const DEVICE_MADE = {
  TriggerFired: true,
  AvailabilityRequested: true,
  ContentMatched: true,
  TransferStarted: true,
  TransferResumed: true,
  TransferCompleted: true,
  ProcessingAcknowledged: true,
  InstallReported: true,
  OutcomeConfirmed: true,
  CatalogueRefused: true,
} satisfies Record<DeviceFactByHandset['type'], true>;

export interface FactSequence {
  epoch: number;
  n: number;
}

const isAfter = (a: FactSequence, b: FactSequence): boolean => a.epoch > b.epoch || (a.epoch === b.epoch && a.n > b.n);

/** @throws CampaignError `facts.unknown-type` naming the fact */
export function checkFactTypes(facts: readonly DeviceFact[]): void {
  facts.forEach(({ type }, i) => {
    if (!Object.hasOwn(DEVICE_MADE, type))
      throw refusal('facts.unknown-type', `/facts/${i}/type`, 'not a fact that a handset makes');
  });
}

/**
 * An epoch beyond the device's own would outlive it: what takes over after a replacement would be dropped as old.
 * @param given the device's epoch, by its identity
 * @throws CampaignError `facts.malformed` naming the fact
 */
export function checkEpochs(facts: readonly Pick<DeviceFact, 'seq'>[], given: number): void {
  facts.forEach(({ seq }, i) => {
    if (seq.epoch > given)
      throw refusal('facts.malformed', `/facts/${i}/seq/epoch`, `the epoch of this device is ${given}`);
  });
}

/**
 * The facts that are new, in the order of their sequence, and the highest that is then held. What was sent before, in
 * this batch or an earlier one, is dropped; gaps are the handset's loss, and nothing waits for them.
 */
export function newFacts<F extends Pick<DeviceFact, 'seq'>>(
  facts: readonly F[],
  held: FactSequence,
): { fresh: F[]; highest: FactSequence } {
  const inOrder = [...facts].sort((a, b) => a.seq.epoch - b.seq.epoch || a.seq.n - b.seq.n);
  let highest = held;
  const fresh: F[] = [];
  for (const fact of inOrder)
    if (isAfter(fact.seq, highest)) {
      fresh.push(fact);
      highest = { epoch: fact.seq.epoch, n: fact.seq.n };
    }
  return { fresh, highest };
}

/** Whether a fact may stand: it names no offer, or one that `isKnown`. */
export function concernsOffer(
  { data }: Pick<DeviceFact, 'data'>,
  isKnown: (ref: { contentId: string; campaignId: string }) => boolean,
): boolean {
  const { contentId, campaignId } = data as { contentId?: string; campaignId?: string };
  return contentId === undefined || campaignId === undefined || isKnown({ contentId, campaignId });
}

/** What one device may have recorded: a full queue of 10,000 at once and 600 a minute for as long as it likes. */
export const FACT_BUDGET = { burst: 12_000, perMinute: 600 } as const;

/** A token bucket. */
export interface Bucket {
  left: number;
  /** Milliseconds. */
  at: number;
}

/** @returns the bucket after `count` facts at `now`, or the seconds after which there will be room for them */
export function spendFacts(bucket: Bucket | undefined, count: number, now: number): Bucket | { waitSeconds: number } {
  const { burst, perMinute } = FACT_BUDGET;
  const perMs = perMinute / 60_000;
  const before = bucket ?? { left: burst, at: now };
  // A clock that was set back gives nothing and takes nothing.
  const left = Math.min(burst, before.left + Math.max(0, now - before.at) * perMs);
  return left >= count ? { left: left - count, at: now } : { waitSeconds: Math.ceil((count - left) / perMs / 1_000) };
}
