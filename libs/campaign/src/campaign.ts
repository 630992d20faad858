import type {
  CampaignEvent,
  CampaignSettings,
  CampaignStatus,
  DryRunSummary,
  RetriedCampaign,
  Standing,
} from './events.js';
import { NO_TALLY, type Tally } from './outcomes.js';

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
  /** What its judges are shown. Absent, and not null, where there is none: states of before 2026-12 stand in read models. */
  dryRun?: DryRunSummary;
  /** When the wave that it is in was opened. */
  waveOpenedAt: string | null;
  /** When it was started or resumed last: the time of a gate counts while it runs. */
  runsSince: string | null;
  /** When it was ended: what is under way has a day from then on. */
  endedAt: string | null;
  /** It was scheduled once, so devices may have it, whatever was taken back. */
  wasScheduled: boolean;
  /** What had become of its devices when it was halted last: a person has seen that, and gone on. */
  seen: Tally;
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
  runsSince: null,
  endedAt: null,
  wasScheduled: false,
  seen: NO_TALLY,
  last: null,
};

/** Nothing of it will change, and nobody gets it any more. */
export const isOver = (status: CampaignStatus): boolean => status === 'completed' || status === 'aborted';

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
      return { ...review(state, event), last: null };
    case 'CampaignStepUndone': {
      const { status, pause, recalled, start, end, waveUpTo, waveOpenedAt } = event.data;
      const before = { status, pause, recalled, waveOpenedAt, endedAt: null, last: null };
      return { ...withSettings(state, { start, end, waveUpTo }), ...before };
    }
    default: {
      const next = take(state, event) as CampaignState | undefined;
      return next === undefined ? state : { ...next, last: stepOf(state, event) }; // of a later release: nothing that we know
    }
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
      return { ...withoutDryRun(state), status: 'draft', settings, authors, required: 0, approvals: [] };
    }
    case 'CampaignSubmitted':
      return submitted(state, event.data);
    case 'CampaignApproved': {
      const { by, remaining } = event.data;
      return { ...state, approvals: [...state.approvals, by], status: remaining === 0 ? 'approved' : 'in-review' };
    }
    case 'CampaignRejected':
      return { ...state, status: 'draft', required: 0, approvals: [] };
  }
}

function submitted(
  state: CampaignState,
  { required, summary }: Extract<Reviewed, { type: 'CampaignSubmitted' }>['data'],
): CampaignState {
  const shown = summary === undefined ? {} : { dryRun: summary };
  return { ...withoutDryRun(state), status: 'in-review', required, approvals: [], ...shown };
}

/** Of what no longer stands. */
function withoutDryRun({ dryRun: _, ...state }: CampaignState): CampaignState {
  return state;
}

function take(state: CampaignState, event: Taken): CampaignState {
  switch (event.type) {
    case 'CampaignScheduled':
      return {
        ...withSettings(state, { start: event.data.start, end: event.data.end }),
        status: 'scheduled',
        wasScheduled: true,
      };
    case 'CampaignStarted':
      return { ...runs(state, event.data.at), waveOpenedAt: event.data.at ?? null };
    case 'CampaignResumed':
      return runs(state, event.data.at);
    case 'WaveOpened':
      return { ...withSettings(state, { waveUpTo: event.data.waveUpTo }), waveOpenedAt: event.data.at ?? null };
    case 'CampaignPaused':
      return { ...state, status: 'paused', pause: event.data.kind };
    case 'CampaignHalted':
      return { ...state, status: 'halted', seen: event.data.tally };
    case 'CampaignEnded':
      return { ...state, status: 'draining', pause: null, endedAt: event.data.at ?? null };
    case 'CampaignCompleted':
      return { ...state, status: 'completed', pause: null };
    case 'CampaignAborted':
      return { ...state, status: 'aborted', pause: null, recalled: event.data.disposition === 'recall' };
  }
}

const runs = (state: CampaignState, at: string | undefined): CampaignState => ({
  ...state,
  status: 'running',
  pause: null,
  runsSince: at ?? null,
});

function standingOf({ status, pause, recalled, settings, waveOpenedAt }: CampaignState): Standing {
  const { start = null, end = null, waveUpTo = 0 } = settings ?? {};
  return { status, pause, recalled, start, end, waveUpTo, waveOpenedAt };
}

/** What one command leads to is one step: a start with its schedule, a completion with its end. */
const FOLLOWS: Readonly<Record<string, string>> = {
  CampaignStarted: 'CampaignScheduled',
  CampaignCompleted: 'CampaignEnded',
};

/** Only a person's step has a `by`. */
function stepOf(state: CampaignState, event: Taken): Step | null {
  const { last } = state;
  if (last !== null && last.step === FOLLOWS[event.type] && (event.data as { at?: string }).at === last.at) return last;
  const { by, at } = event.data as { by?: string; at?: string };
  return by === undefined || at === undefined ? null : { step: event.type, at, before: standingOf(state) };
}

const withSettings = (state: CampaignState, change: Partial<CampaignSettings>): CampaignState => ({
  ...state,
  settings: state.settings === null ? null : { ...state.settings, ...change },
});
