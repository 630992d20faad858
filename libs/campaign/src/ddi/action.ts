import type { Feedback } from './read-body.js';

/** One offer of one content to one hawkBit client. `waiting`: for its user to confirm it. */
export type ActionState =
  | 'waiting'
  | 'offered'
  | 'canceling'
  | 'installed'
  | 'finished'
  | 'failed'
  | 'canceled'
  | 'denied'
  | 'ended';

const OPEN: readonly ActionState[] = ['waiting', 'offered', 'canceling', 'installed'];
export const isOpen = (state: ActionState): boolean => OPEN.includes(state);

/** What follows for the record. */
export type Consequence = 'installed' | 'install-failed' | 'confirmed' | 'rolled-back';

export interface Advance {
  state: ActionState;
  facts: Consequence[];
}

/** swupdate's words behind its last handler: it has installed, and reports success only after a restart. */
const INSTALLED = 'All Chunks Installed.';
/** swupdate's words when it was told not to install; reported as a success that is none (hawkBit #2026). */
const SKIPPED = 'Skipped Update.';

const says = ({ details }: Feedback, words: string): boolean => details.some((detail) => detail.includes(words));

export interface Reported {
  state: ActionState;
  isTransferred: boolean;
  refusedCancel: boolean;
}

/**
 * What a report on an open action makes of it; the same state with no facts where it only tells how it goes. A success is
 * INSTALLED_UNCONFIRMED before it is CONFIRMED, also for a client that reports both in one (rauc-hawkbit-updater). A failure of
 * a download that was cut here is none of the device: its action comes to nothing, and the offer may come again.
 * @param isCut bytes of it are not sent now: its campaign is paused hard or recalled, or its content withdrawn
 */
export function afterFeedback(action: Reported, isCut: boolean, feedback: Feedback): Advance {
  const { state } = action;
  const { execution, finished } = feedback;
  const wasInstalled = state === 'installed';
  if (execution !== 'closed') {
    const isInstalled = execution === 'proceeding' && finished !== 'failure' && says(feedback, INSTALLED);
    return isInstalled && !wasInstalled ? { state: 'installed', facts: ['installed'] } : { state, facts: [] };
  }
  if (finished === 'failure') {
    if (wasInstalled) return { state: 'failed', facts: ['rolled-back'] };
    if (isCut && !action.isTransferred && !action.refusedCancel)
      return { state: state === 'canceling' ? 'canceled' : 'ended', facts: [] };
    return { state: 'failed', facts: ['install-failed'] };
  }
  if (says(feedback, SKIPPED)) return { state, facts: [] };
  return { state: 'finished', facts: wasInstalled ? ['confirmed'] : ['installed', 'confirmed'] };
}

/**
 * Whether the report says of a closed action what is known of it: answered as the first one was, and nothing changes. That an action failed which
 * was taken back is no news either.
 */
export function isRepeated(state: ActionState, { execution, finished }: Feedback): boolean {
  if (execution !== 'closed') return false;
  return finished === 'failure' ? ['failed', 'canceled', 'ended'].includes(state) : state === 'finished';
}

/** To a cancel some clients say `canceled` and others `closed` (hawkBit #952): both are a yes. A failure or a no leaves the action to go on. */
export function afterCancel(state: ActionState, { execution, finished }: Feedback): ActionState {
  if (execution === 'canceled') return 'canceled';
  if (execution === 'closed') return finished === 'failure' ? 'offered' : 'canceled';
  return execution === 'rejected' ? 'offered' : state;
}

interface Of {
  contentId: string;
  campaignId: string;
}

/**
 * Whether an action leaves nothing to offer: what is confirmed by no campaign again, what failed or was denied not by the same. What ended with its
 * campaign is offered again where that is: its end was undone.
 */
export function isSettled(action: Of & { state: ActionState }, { contentId, campaignId }: Of): boolean {
  if (action.contentId !== contentId) return false;
  const isSame = action.campaignId === campaignId && (action.state === 'failed' || action.state === 'denied');
  return action.state === 'finished' || isSame;
}

/** A code for the record: what the client said of it is text for people, and may hold anything. */
export const failureCode = ({ code }: Feedback): string => (code === undefined ? 'ddi.failure' : `ddi.status-${code}`);
