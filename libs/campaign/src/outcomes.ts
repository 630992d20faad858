/** How far one device came with a campaign: ms of when the server learned it, undefined where it has not come to that. */
export interface DeviceProgress {
  grantedAt?: number;
  transferredAt?: number;
  installedAt?: number;
  confirmedAt?: number;
  /** It said that it failed, or that it went back to what it had. */
  failedAt?: number;
  /** It said no, with any reason but that it does not fit. */
  declinedAt?: number;
}

/** In which a device comes on with a content. */
export const STEPS = ['granted', 'transferred', 'installed', 'confirmed', 'failed', 'declined'] as const;
export type Step = (typeof STEPS)[number];

/** After so long without a word a device counts as lost, minutes; null = never. */
export interface Timeouts {
  /** From the grant to the transfer's end. */
  transferMinutes: number | null;
  /** From the installation to its confirmation. */
  confirmMinutes: number | null;
}

export const NO_TIMEOUTS: Timeouts = { transferMinutes: null, confirmMinutes: null };

/** What became of a device. `silent`: installed, and never heard of again, which is how a bad update looks. */
export const OUTCOMES = ['confirmed', 'failed', 'declined', 'timed-out', 'silent'] as const;
export type Outcome = (typeof OUTCOMES)[number];
export type Tally = Readonly<Record<Outcome, number>>;

export const NO_TALLY: Tally = { confirmed: 0, failed: 0, declined: 0, 'timed-out': 0, silent: 0 };

const MINUTE = 60_000;

/** @returns undefined while it is under way, or has not begun */
export function outcomeOf(device: DeviceProgress, timeouts: Timeouts, now: number): Outcome | undefined {
  const { grantedAt, transferredAt, installedAt, confirmedAt, failedAt, declinedAt } = device;
  if (failedAt !== undefined) return 'failed';
  if (confirmedAt !== undefined) return 'confirmed';
  if (installedAt !== undefined) return isOver(installedAt, timeouts.confirmMinutes, now) ? 'silent' : undefined;
  if (declinedAt !== undefined) return 'declined';
  if (transferredAt !== undefined) return isOver(transferredAt, timeouts.confirmMinutes, now) ? 'timed-out' : undefined;
  return grantedAt !== undefined && isOver(grantedAt, timeouts.transferMinutes, now) ? 'timed-out' : undefined;
}

const isOver = (since: number, minutes: number | null, now: number): boolean =>
  minutes !== null && now >= since + minutes * MINUTE;

/** Devices that have answered for themselves, or by their silence. */
export const responded = (tally: Tally): number => OUTCOMES.reduce((sum, outcome) => sum + tally[outcome], 0);

/** In the order of what counts where a device has several contents of a campaign; under way goes before confirmed. */
const WORST: readonly (Outcome | undefined)[] = ['failed', 'silent', 'timed-out', 'declined', undefined, 'confirmed'];

/** What became of a device with all that a campaign has brought it: what is worst counts, and it is confirmed when all are. */
export function outcomeOfAll(
  contents: readonly DeviceProgress[],
  timeouts: Timeouts,
  now: number,
): Outcome | undefined {
  const begun = contents.filter((each) => Object.keys(each).length > 0);
  const ranks = begun.map((each) => WORST.indexOf(outcomeOf(each, timeouts, now)));
  return ranks.length === 0 ? undefined : WORST[Math.min(...ranks)];
}
