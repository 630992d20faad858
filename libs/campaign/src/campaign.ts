import type { CampaignEvent, CampaignSettings, CampaignStatus, RetriedCampaign, Standing } from './events.js';

export type { CampaignStatus } from './events.js';

export interface Step {
  /** Name of the event. */
  step: string;
  at: string;
  before: Standing;
}

export interface CampaignState {
  status: CampaignStatus;
  /** `null` only while the status is `none`. `start`, `end` and `waveUpTo` follow the later events. */
  settings: CampaignSettings | null;
  pause: Standing['pause'];
  recalled: boolean;
  /** Who has drafted or edited what stands. */
  authors: readonly string[];
  /** How many have to approve, as was the policy at submission; 0 before. */
  required: number;
  /** Who has approved what stands. */
  approvals: readonly string[];
  parent: RetriedCampaign | null;
  /** When the wave that it is in was opened. */
  waveOpenedAt: string | null;
  /** What a person did last, while it can be undone. */
  last: Step | null;
}

export const noCampaign: CampaignState = {
  status: 'none',
  settings: null,
  pause: null,
  recalled: false,
  authors: [],
  required: 0,
  approvals: [],
  parent: null,
  waveOpenedAt: null,
  last: null,
};

/** Before it is scheduled nobody but its authors and judges knows of it. */
export const isPrivate = ({ status }: CampaignState): boolean =>
  status === 'none' || status === 'draft' || status === 'in-review' || status === 'approved';

/** Applies one fact. Total: history cannot be refused. */
export function evolve(state: CampaignState, event: CampaignEvent): CampaignState {
  switch (event.type) {
    case 'CampaignDrafted':
    case 'CampaignEdited':
    case 'CampaignSubmitted':
    case 'CampaignApproved':
    case 'CampaignRejected':
      return review(state, event);
    case 'CampaignStepUndone': {
      const { status, pause, recalled, start, end, waveUpTo } = event.data;
      return { ...withSettings(state, { start, end, waveUpTo }), status, pause, recalled, last: null };
    }
    default:
      return { ...take(state, event), last: stepOf(state, event) };
  }
}

type Reviewed = Extract<
  CampaignEvent,
  { type: 'CampaignDrafted' | 'CampaignEdited' | 'CampaignSubmitted' | 'CampaignApproved' | 'CampaignRejected' }
>;
type Taken = Exclude<CampaignEvent, Reviewed | { type: 'CampaignStepUndone' }>;

/** Any edit drops the approvals: what was approved is no longer what stands. */
function review(state: CampaignState, event: Reviewed): CampaignState {
  switch (event.type) {
    case 'CampaignDrafted': {
      const { campaignId: _, by, parent, ...settings } = event.data;
      return { ...noCampaign, status: 'draft', settings, authors: by === null ? [] : [by], parent };
    }
    case 'CampaignEdited': {
      const { campaignId: _, by, ...settings } = event.data;
      const authors = by === null || state.authors.includes(by) ? state.authors : [...state.authors, by];
      return { ...state, status: 'draft', settings, authors, required: 0, approvals: [] };
    }
    case 'CampaignSubmitted':
      return { ...state, status: 'in-review', required: event.data.required, approvals: [] };
    case 'CampaignApproved': {
      const { by, remaining } = event.data;
      return { ...state, approvals: [...state.approvals, by], status: remaining === 0 ? 'approved' : 'in-review' };
    }
    case 'CampaignRejected':
      return { ...state, status: 'draft', required: 0, approvals: [] };
  }
}

function take(state: CampaignState, event: Taken): CampaignState {
  switch (event.type) {
    case 'CampaignScheduled':
      return { ...withSettings(state, { start: event.data.start, end: event.data.end }), status: 'scheduled' };
    case 'CampaignStarted':
      return { ...state, status: 'running', pause: null, waveOpenedAt: event.data.at ?? null };
    case 'CampaignResumed':
      return { ...state, status: 'running', pause: null };
    case 'WaveOpened':
      return { ...withSettings(state, { waveUpTo: event.data.waveUpTo }), waveOpenedAt: event.data.at ?? null };
    case 'CampaignPaused':
      return { ...state, status: 'paused', pause: event.data.kind };
    case 'CampaignHalted':
      return { ...state, status: 'halted' };
    case 'CampaignEnded':
      return { ...state, status: 'draining', pause: null };
    case 'CampaignCompleted':
      return { ...state, status: 'completed', pause: null };
    case 'CampaignAborted':
      return { ...state, status: 'aborted', pause: null, recalled: event.data.disposition === 'recall' };
  }
}

export function standingOf({ status, pause, recalled, settings }: CampaignState): Standing {
  const { start = null, end = null, waveUpTo = 0 } = settings ?? {};
  return { status, pause, recalled, start, end, waveUpTo };
}

/** Only a person's step has a `by`. A start that comes with the schedule is part of that step. */
function stepOf(state: CampaignState, event: Taken): Step | null {
  if (event.type === 'CampaignStarted' && state.last?.step === 'CampaignScheduled' && event.data.at === state.last.at)
    return state.last;
  const { by, at } = event.data as { by?: string; at?: string };
  return by === undefined || at === undefined ? null : { step: event.type, at, before: standingOf(state) };
}

const withSettings = (state: CampaignState, change: Partial<CampaignSettings>): CampaignState => ({
  ...state,
  settings: state.settings === null ? null : { ...state.settings, ...change },
});
