import type { HeldBack } from '../offers.js';
import type { CampaignState } from '../campaign.js';
import { isOver } from '../campaign.js';
import type { ContentState } from '../content.js';
import { stopsTransfer } from '../offers.js';
import type { ActionState } from './action.js';

/** So long a client may take to acknowledge a cancel, ms; one that never does must not keep its slot. */
export const CANCEL_MS = 86_400_000;

export interface Standing {
  state: ActionState;
  changedAt: number;
  isStarted: boolean;
  refusedCancel: boolean;
}

/**
 * What has become of an open action because of its campaign. What is installed stays exposed until the client closes it, whatever
 * happens: swupdate 2022.12 reports on whichever action is exposed then.
 */
export function standingNow(
  action: Standing,
  campaign: CampaignState | undefined,
  content: ContentState | undefined,
  now: number,
): ActionState {
  const { state, changedAt, isStarted, refusedCancel } = action;
  const isTakenBack = wasTakenBack(campaign, content);
  const isEnded = isTakenBack || isOver(campaign!.status);
  switch (state) {
    case 'canceling':
      if (!isTakenBack) return 'offered'; // what could not be read for a while is there again
      return now - changedAt >= CANCEL_MS ? 'canceled' : 'canceling';
    case 'waiting':
      return isEnded ? 'ended' : 'waiting';
    case 'offered':
      if (isTakenBack) return refusedCancel ? 'offered' : 'canceling';
      return isEnded && !isStarted ? 'ended' : 'offered';
    default:
      return state;
  }
}

const wasTakenBack = (campaign: CampaignState | undefined, content: ContentState | undefined): boolean =>
  campaign === undefined || campaign.recalled || content === undefined || content.withdrawn;

/**
 * Why the link is left out for now, the action staying as it is. Where nothing could be installed or fetched the client is not asked
 * to: swupdate takes `update: skip` for a success.
 * @param window that is closed
 */
export function withheldBy(
  { state, refusedCancel }: Standing,
  campaign: CampaignState | undefined,
  content: ContentState | undefined,
  window: HeldBack | undefined,
): HeldBack | undefined {
  if ((state !== 'offered' && state !== 'waiting') || refusedCancel) return undefined; // who refused a cancel is at work on it
  return stopsTransfer(campaign, content) ? { gate: 'paused' } : window;
}
