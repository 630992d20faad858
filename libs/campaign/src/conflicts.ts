import type { TenantBoard } from './board.js';
import { isOver } from './campaign.js';

/** A device that has a content and is never heard of again keeps others of its group away for so long, ms. */
export const CONFLICT_MS = 86_400_000;

/** A grant as it counts, ms; undefined: it has not come to that. */
export interface Lease {
  expiresAt: number;
  transferredAt?: number;
  /** It is done with it, well or not. */
  endedAt?: number;
}

/** Campaigns of the group that a device may not have beside this one. What is over is in nobody's way, and neither is the campaign that this one tries again. */
export function rivalsOf({ campaigns }: Pick<TenantBoard, 'campaigns'>, campaignId: string): string[] {
  const { settings, parent } = campaigns.get(campaignId)!;
  const group = settings!.conflictGroup;
  if (group === null) return [];
  const rivals: string[] = [];
  for (const [id, { settings: of, status }] of campaigns)
    if (of?.conflictGroup === group && id !== campaignId && id !== parent?.campaignId && !isOver(status))
      rivals.push(id);
  return rivals;
}

/** Whether a device is at work on it: until the lease ends, and on what it has got for a day at most. */
export const isAtWork = ({ expiresAt, transferredAt, endedAt }: Lease, now: number): boolean =>
  endedAt === undefined && (expiresAt > now || (transferredAt !== undefined && transferredAt > now - CONFLICT_MS));
