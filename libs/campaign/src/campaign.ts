import type { CampaignEvent, CampaignSettings } from './events.js';

export type CampaignStatus = 'none' | 'draft' | 'scheduled' | 'running' | 'paused' | 'completed' | 'aborted';

export interface CampaignState {
  status: CampaignStatus;
  /** `null` only while the status is `none`. `start`, `end` and `waveUpTo` follow the later events. */
  settings: CampaignSettings | null;
  /** How it is paused: soft stops new grants, hard also the ranges of running transfers. */
  pause: 'soft' | 'hard' | null;
  /** Aborted with recall: what was granted is taken back. */
  recalled: boolean;
}

export const noCampaign: CampaignState = { status: 'none', settings: null, pause: null, recalled: false };

const settingsOf = ({ campaignId: _, ...settings }: { campaignId: string } & CampaignSettings): CampaignSettings =>
  settings;

/** Applies one fact. Total: history cannot be refused. */
export function evolve(state: CampaignState, event: CampaignEvent): CampaignState {
  switch (event.type) {
    case 'CampaignDrafted':
    case 'CampaignEdited':
      return { ...state, status: 'draft', settings: settingsOf(event.data) };
    case 'CampaignScheduled':
      return { ...withSettings(state, { start: event.data.start, end: event.data.end }), status: 'scheduled' };
    case 'CampaignStarted':
    case 'CampaignResumed':
      return { ...state, status: 'running', pause: null };
    case 'WaveOpened':
      return withSettings(state, { waveUpTo: event.data.waveUpTo });
    case 'CampaignPaused':
      return { ...state, status: 'paused', pause: event.data.kind };
    case 'CampaignCompleted':
      return { ...state, status: 'completed', pause: null };
    case 'CampaignAborted':
      return { ...state, status: 'aborted', pause: null, recalled: event.data.disposition === 'recall' };
  }
}

const withSettings = (state: CampaignState, change: Partial<CampaignSettings>): CampaignState => ({
  ...state,
  settings: state.settings === null ? null : { ...state.settings, ...change },
});
