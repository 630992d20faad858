import { isDeepStrictEqual } from 'node:util';
import { type CampaignState, evolve, noCampaign } from './campaign.js';
import { CampaignError, refusal } from './errors.js';
import type { CampaignEvent, CampaignSettings } from './events.js';
import { checkCrowding, checkSettings, type Surroundings } from './settings.js';

interface Named {
  campaignId: string;
}

/** `now` (milliseconds) and `around` come with the command: the rules have no clock and no database. */
export type CampaignCommand =
  | { type: 'DraftCampaign'; data: Named & CampaignSettings; around: Surroundings }
  | { type: 'EditCampaign'; data: Named & CampaignSettings; around: Surroundings }
  | {
      type: 'ScheduleCampaign';
      /** What is left out is taken from the draft; a start left out of both is now. */
      data: Named & { start?: string; end?: string | null };
      around: Surroundings;
      now: number;
    }
  | { type: 'StartCampaign'; data: Named; now: number }
  | { type: 'OpenWave'; data: Named & { waveUpTo: number } }
  | { type: 'PauseCampaign'; data: Named & { kind: 'soft' | 'hard'; reason: string } }
  | { type: 'ResumeCampaign'; data: Named }
  | { type: 'CompleteCampaign'; data: Named & { reason: string } }
  | { type: 'AbortCampaign'; data: Named & { disposition: 'keep' | 'recall'; reason: string } };

/** Answers a command with the facts that follow; `[]` means that it was already so. @throws CampaignError, MatchingError */
export function decide(state: CampaignState, command: CampaignCommand): CampaignEvent[] {
  if (command.type === 'DraftCampaign') return draft(state, command);
  const { campaignId } = command.data;
  if (state.settings === null) throw new CampaignError('campaign.unknown', { campaignId }, 'no such campaign');
  const open = { ...state, settings: state.settings };
  switch (command.type) {
    case 'EditCampaign':
      return edit(open, command);
    case 'ScheduleCampaign':
      return schedule(open, command);
    case 'StartCampaign':
      return start(open, command);
    case 'OpenWave':
      return openWave(open, command);
    case 'PauseCampaign':
      return pause(open, command);
    case 'ResumeCampaign':
      return resume(open, command);
    case 'CompleteCampaign':
      return complete(open, command);
    case 'AbortCampaign':
      return abort(open, command);
  }
}

type Open = CampaignState & { settings: CampaignSettings };
type Of<Type extends CampaignCommand['type']> = Extract<CampaignCommand, { type: Type }>;

function draft(state: CampaignState, { data, around }: Of<'DraftCampaign'>): CampaignEvent[] {
  const { campaignId, ...settings } = data;
  if (isDeepStrictEqual(state.settings, settings)) return [];
  if (state.settings !== null) throw new CampaignError('campaign.exists', { campaignId }, 'this campaign id is taken');
  checkSettings(settings, around);
  return [{ type: 'CampaignDrafted', data }];
}

function edit(state: Open, { data, around }: Of<'EditCampaign'>): CampaignEvent[] {
  const { campaignId, ...settings } = data;
  if (state.status !== 'draft') throw refused('campaign.not-draft', campaignId, 'only a draft can be edited');
  if (isDeepStrictEqual(state.settings, settings)) return [];
  checkSettings(settings, around);
  return [{ type: 'CampaignEdited', data }];
}

/** A start that is not in the future starts at once: nobody should wait for the next tick of a timer. */
function schedule(state: Open, { data, around, now }: Of<'ScheduleCampaign'>): CampaignEvent[] {
  const { campaignId } = data;
  const start = data.start ?? state.settings.start ?? new Date(now).toISOString();
  const end = data.end === undefined ? state.settings.end : data.end;
  if (state.status !== 'draft') return alreadyScheduled(state, data);
  checkSettings({ ...state.settings, start, end }, around);
  checkCrowding(state.settings, around);
  if (end !== null && Date.parse(end) <= now) throw refusal('campaign.window-empty', '/end', 'the end has passed');
  const scheduled: CampaignEvent = { type: 'CampaignScheduled', data: { campaignId, start, end } };
  return Date.parse(start) > now ? [scheduled] : [scheduled, { type: 'CampaignStarted', data: { campaignId } }];
}

/** The repeated command names what is already so, or leaves it out. */
function alreadyScheduled({ status, settings }: Open, data: Of<'ScheduleCampaign'>['data']): CampaignEvent[] {
  const same =
    (data.start === undefined || data.start === settings.start) &&
    (data.end === undefined || data.end === settings.end);
  if (!same || status === 'completed' || status === 'aborted')
    throw refused('campaign.not-draft', data.campaignId, 'it was scheduled before');
  return [];
}

function start(state: Open, { data, now }: Of<'StartCampaign'>): CampaignEvent[] {
  const { campaignId } = data;
  if (state.status === 'running' || state.status === 'paused') return [];
  if (state.status === 'draft') throw refused('campaign.not-running', campaignId, 'schedule it first');
  if (state.status !== 'scheduled') throw closed(campaignId);
  return Date.parse(state.settings.start ?? '') > now ? [] : [{ type: 'CampaignStarted', data: { campaignId } }];
}

function openWave(state: Open, { data }: Of<'OpenWave'>): CampaignEvent[] {
  if (isClosed(state)) throw closed(data.campaignId);
  if (data.waveUpTo < state.settings.waveUpTo)
    throw refusal('campaign.wave-narrower', '/waveUpTo', 'a wave that was opened is not closed again: pause instead');
  return data.waveUpTo === state.settings.waveUpTo ? [] : [{ type: 'WaveOpened', data }];
}

function pause(state: Open, { data }: Of<'PauseCampaign'>): CampaignEvent[] {
  if (isClosed(state)) throw closed(data.campaignId);
  if (state.pause === data.kind) return [];
  if (state.status !== 'running' && state.status !== 'paused')
    throw refused('campaign.not-running', data.campaignId, 'only a running campaign can be paused');
  return [{ type: 'CampaignPaused', data }];
}

function resume(state: Open, { data }: Of<'ResumeCampaign'>): CampaignEvent[] {
  if (isClosed(state)) throw closed(data.campaignId);
  if (state.status === 'running') return [];
  if (state.status !== 'paused') throw refused('campaign.not-paused', data.campaignId, 'it is not paused');
  return [{ type: 'CampaignResumed', data }];
}

function complete(state: Open, { data }: Of<'CompleteCampaign'>): CampaignEvent[] {
  if (state.status === 'completed') return [];
  if (state.status === 'aborted') throw closed(data.campaignId);
  if (state.status === 'draft') throw refused('campaign.not-running', data.campaignId, 'it never ran');
  return [{ type: 'CampaignCompleted', data }];
}

/** What was aborted with keep can still be recalled; the other way round nothing is given back. */
function abort(state: Open, { data }: Of<'AbortCampaign'>): CampaignEvent[] {
  if (state.status === 'completed') throw closed(data.campaignId);
  const done = state.status === 'aborted' && (state.recalled || data.disposition === 'keep');
  return done ? [] : [{ type: 'CampaignAborted', data }];
}

const isClosed = ({ status }: CampaignState): boolean => status === 'completed' || status === 'aborted';
const closed = (campaignId: string): CampaignError =>
  refused('campaign.closed', campaignId, 'the campaign is completed or aborted');
const refused = (code: CampaignError['code'], campaignId: string, message: string): CampaignError =>
  new CampaignError(code, { campaignId }, message);

export const campaignDecider = { topic: 'muster.campaign' as const, initial: noCampaign, decide, evolve };
