import { isDeepStrictEqual } from 'node:util';
import { type CampaignState, evolve, isOver, isPrivate, noCampaign } from './campaign.js';
import { CampaignError, refusal, refused } from './errors.js';
import type { CampaignEvent, CampaignSettings, RetriedCampaign } from './events.js';
import { type Named, reviewCommand, type ReviewCommand } from './review.js';
import { checkCrowding, checkSettings, type Surroundings } from './settings.js';
import type { Tally } from './outcomes.js';
import type { StopFired } from './stop-rules.js';

/** Who gives a command, as the log names actors, and when, ms. */
interface Given {
  by: string;
  now: number;
}

/** `by`, `now` and `around` come with the command: the rules have no clock and no database. */
export type CampaignCommand = Given &
  (
    | { type: 'DraftCampaign'; data: Named & CampaignSettings & { parent?: RetriedCampaign }; around: Surroundings }
    | { type: 'EditCampaign'; data: Named & CampaignSettings; around: Surroundings }
    | ReviewCommand
    | {
        type: 'ScheduleCampaign';
        /** What is left out is taken from the draft; a start left out of both is now. */
        data: Named & { start?: string; end?: string | null };
        around: Surroundings;
      }
    | { type: 'StartCampaign'; data: Named }
    | { type: 'OpenWave'; data: Named & { waveUpTo: number } }
    | { type: 'PauseCampaign'; data: Named & { kind: 'soft' | 'hard'; reason: string } }
    | {
        type: 'HaltCampaign';
        data: Named & { tally: Tally } & (
            | { cause: 'stop-rule'; fired: StopFired }
            | { cause: 'wave-timeout'; responded: number }
          );
      }
    | { type: 'ResumeCampaign'; data: Named & { reason?: string } }
    /** `underWay`: devices that have begun and not ended, which it waits for. */
    | { type: 'CompleteCampaign'; data: Named & { reason: string }; underWay: number }
    | { type: 'AbortCampaign'; data: Named & { disposition: 'keep' | 'recall'; reason: string } }
    | { type: 'UndoStep'; data: Named & { reason: string } }
  );

/** `Omit` of each member of a union by itself. */
export type OmitOfEach<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** So long what is under way may take once a campaign was ended, ms: of a device that is lost nobody hears the end. */
const DRAIN_MS = 86_400_000;
/** So long a step can be taken back, ms. */
export const GRACE_MS = 300_000;

/** Answers a command with the facts that follow; `[]` means that it was already so. @throws CampaignError, MatchingError */
export function decide(state: CampaignState, command: CampaignCommand): CampaignEvent[] {
  if (command.type === 'DraftCampaign') return draft(state, command);
  const { campaignId } = command.data;
  if (state.settings === null) throw new CampaignError('campaign.unknown', { campaignId }, 'no such campaign');
  const open = { ...state, settings: state.settings };
  switch (command.type) {
    case 'EditCampaign':
      return edit(open, command);
    case 'SubmitCampaign':
    case 'ApproveCampaign':
    case 'RejectCampaign':
      return reviewCommand(open, command);
    case 'ScheduleCampaign':
      return schedule(open, command);
    default:
      return step(open, command);
  }
}

type Step = Exclude<CampaignCommand, { type: 'DraftCampaign' | 'EditCampaign' | 'ScheduleCampaign' } | ReviewCommand>;

/** What befalls a campaign once it is scheduled. */
function step(open: Open, command: Step): CampaignEvent[] {
  switch (command.type) {
    case 'StartCampaign':
      return start(open, command);
    case 'OpenWave':
      return openWave(open, command);
    case 'PauseCampaign':
      return pause(open, command);
    case 'HaltCampaign':
      return halt(open, command);
    case 'ResumeCampaign':
      return resume(open, command);
    case 'CompleteCampaign':
      return complete(open, command);
    case 'AbortCampaign':
      return abort(open, command);
    case 'UndoStep':
      return undo(open, command);
  }
}

type Open = CampaignState & { settings: CampaignSettings };
type Of<Type extends CampaignCommand['type']> = Extract<CampaignCommand, { type: Type }>;

/** What a step says of who took it; the clock's and the supervisor's are nobody's, and nobody's to undo. */
const taken = ({ by, now }: Given): { by?: string; at: string } => ({
  ...(by.startsWith('system:') ? {} : { by }),
  at: new Date(now).toISOString(),
});

function draft(state: CampaignState, { data, around, by }: Of<'DraftCampaign'>): CampaignEvent[] {
  const { campaignId, parent = null, ...settings } = data;
  if (isDeepStrictEqual(state.settings, settings)) return [];
  if (state.settings !== null) throw new CampaignError('campaign.exists', { campaignId }, 'this campaign id is taken');
  if (parent !== null) checkParent(parent, around);
  checkSettings(settings, around);
  return [{ type: 'CampaignDrafted', data: { campaignId, ...settings, by, parent } }];
}

/** Only of what is over it is known what has become of everybody. */
function checkParent({ campaignId }: RetriedCampaign, { statusOf }: Surroundings): void {
  const status = statusOf(campaignId);
  if (status === undefined) throw refused('campaign.unknown', campaignId, 'no such campaign');
  if (!isOver(status))
    throw refused('campaign.not-closed', campaignId, 'only what is completed or aborted is tried again');
}

function edit(state: Open, { data, around, by }: Of<'EditCampaign'>): CampaignEvent[] {
  const { campaignId, ...settings } = data;
  if (!isPrivate(state))
    throw refused('campaign.not-draft', campaignId, 'only what is not scheduled yet can be edited');
  if (isDeepStrictEqual(state.settings, settings)) return [];
  checkSettings(settings, around);
  return [{ type: 'CampaignEdited', data: { ...data, by } }];
}

/** A start that is not in the future starts at once: nobody should wait for the next tick of a timer. */
function schedule(state: Open, command: Of<'ScheduleCampaign'>): CampaignEvent[] {
  const { data, around, now } = command;
  const { campaignId } = data;
  const start = data.start ?? state.settings.start ?? new Date(now).toISOString();
  const end = data.end === undefined ? state.settings.end : data.end;
  if (!isPrivate(state)) return alreadyScheduled(state, data);
  if (state.status !== 'approved' && (around.approvals > 0 || state.status === 'in-review'))
    throw refused('campaign.not-approved', campaignId, 'it has to be approved first');
  checkSettings({ ...state.settings, start, end }, around);
  checkCrowding(state.settings, around);
  if (end !== null && Date.parse(end) <= now) throw refusal('campaign.window-empty', '/end', 'the end has passed');
  const step = { campaignId, ...taken(command) };
  const scheduled: CampaignEvent = { type: 'CampaignScheduled', data: { ...step, start, end } };
  return Date.parse(start) > now ? [scheduled] : [scheduled, { type: 'CampaignStarted', data: step }];
}

/** The repeated command names what is already so, or leaves it out. */
function alreadyScheduled({ status, settings }: Open, data: Of<'ScheduleCampaign'>['data']): CampaignEvent[] {
  const same =
    (data.start === undefined || data.start === settings.start) &&
    (data.end === undefined || data.end === settings.end);
  if (!same || isOver(status)) throw refused('campaign.not-draft', data.campaignId, 'it was scheduled before');
  return [];
}

function start(state: Open, command: Of<'StartCampaign'>): CampaignEvent[] {
  const { campaignId } = command.data;
  if (['running', 'paused', 'halted', 'draining'].includes(state.status)) return [];
  if (isPrivate(state)) throw refused('campaign.not-running', campaignId, 'schedule it first');
  if (state.status !== 'scheduled') throw closed(campaignId);
  const isEarly = Date.parse(state.settings.start ?? '') > command.now;
  return isEarly ? [] : [{ type: 'CampaignStarted', data: { campaignId, ...taken(command) } }];
}

function openWave(state: Open, command: Of<'OpenWave'>): CampaignEvent[] {
  const { data } = command;
  if (isClosed(state)) throw closed(data.campaignId);
  if (isPrivate(state)) throw refused('campaign.not-running', data.campaignId, 'edit what is not scheduled yet');
  if (state.status === 'halted')
    throw refused('campaign.halted', data.campaignId, 'a halted campaign is resumed first');
  if (data.waveUpTo < state.settings.waveUpTo)
    throw refusal('campaign.wave-narrower', '/waveUpTo', 'a wave that was opened is not closed again: pause instead');
  return data.waveUpTo === state.settings.waveUpTo
    ? []
    : [{ type: 'WaveOpened', data: { ...data, ...taken(command) } }];
}

function pause(state: Open, command: Of<'PauseCampaign'>): CampaignEvent[] {
  const { data } = command;
  if (isClosed(state)) throw closed(data.campaignId);
  if (state.pause === data.kind) return [];
  const isHardened = state.status === 'halted' && data.kind === 'hard'; // it stops what is under way, too
  if (state.status !== 'running' && state.status !== 'paused' && !isHardened)
    throw refused('campaign.not-running', data.campaignId, 'only a running campaign can be paused');
  return [{ type: 'CampaignPaused', data: { ...data, ...taken(command) } }];
}

/** Only what runs is halted: what a person has paused or ended meanwhile is looked at already. */
function halt(state: Open, { data }: Of<'HaltCampaign'>): CampaignEvent[] {
  if (state.status !== 'running') return [];
  const { campaignId, cause, tally } = data;
  const seen = cause === 'stop-rule' ? data.fired : { rule: null, count: 0, responded: data.responded };
  return [{ type: 'CampaignHalted', data: { campaignId, cause, ...seen, tally } }];
}

function resume(state: Open, command: Of<'ResumeCampaign'>): CampaignEvent[] {
  const { data } = command;
  if (isClosed(state)) throw closed(data.campaignId);
  if (state.status === 'running') return [];
  if (state.status !== 'paused' && state.status !== 'halted')
    throw refused('campaign.not-paused', data.campaignId, 'it is not paused');
  if (state.status === 'halted' && data.reason === undefined)
    throw refusal('campaign.reason-missing', '/reason', 'a halted campaign is resumed with a reason');
  return [{ type: 'CampaignResumed', data: { ...data, ...taken(command) } }];
}

/** What is under way goes on, and the campaign is complete when that has ended. */
function complete(state: Open, command: Of<'CompleteCampaign'>): CampaignEvent[] {
  const { data, now } = command;
  const isPatient = state.endedAt === null || now < Date.parse(state.endedAt) + DRAIN_MS;
  const underWay = isPatient ? command.underWay : 0;
  if (state.status === 'completed') return [];
  if (state.status === 'aborted') throw closed(data.campaignId);
  if (isPrivate(state)) throw refused('campaign.not-running', data.campaignId, 'it never ran');
  const step = { ...data, ...taken(command) };
  return [
    ...(state.status === 'draining' ? [] : [{ type: 'CampaignEnded' as const, data: step }]),
    ...(underWay > 0 ? [] : [{ type: 'CampaignCompleted' as const, data: step }]),
  ];
}

/** What was aborted with keep can still be recalled; the other way round nothing is given back. */
function abort(state: Open, command: Of<'AbortCampaign'>): CampaignEvent[] {
  const { data } = command;
  if (state.status === 'completed') throw closed(data.campaignId);
  const done = state.status === 'aborted' && (state.recalled || data.disposition === 'keep');
  return done ? [] : [{ type: 'CampaignAborted', data: { ...data, ...taken(command) } }];
}

/** Only the last step, and only while nobody else has taken one: what devices have got meanwhile they keep. */
function undo({ last, recalled }: Open, { data, by, now }: Of<'UndoStep'>): CampaignEvent[] {
  const { campaignId, reason } = data;
  if (last === null) throw refused('campaign.nothing-to-undo', campaignId, 'the last step was no person’s');
  if (last.step === 'CampaignAborted' && recalled)
    throw refused('campaign.nothing-to-undo', campaignId, 'a recall has gone out to the devices');
  if (now > Date.parse(last.at) + GRACE_MS)
    throw refused('campaign.undo-late', campaignId, `a step can be taken back for ${GRACE_MS / 1000} seconds`);
  return [{ type: 'CampaignStepUndone', data: { campaignId, by, step: last.step, reason, ...last.before } }];
}

const isClosed = ({ status }: CampaignState): boolean => isOver(status) || status === 'draining';
const closed = (campaignId: string): CampaignError =>
  refused('campaign.closed', campaignId, 'the campaign is completed or aborted');

export const campaignDecider = { topic: 'muster.campaign' as const, initial: noCampaign, decide, evolve };
