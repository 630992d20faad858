import type { CampaignState, CampaignStatus } from '../campaign.js';
import { instant } from '#runtime/index.js';
import { GRACE_MS } from '../decide.js';
import type { CampaignSettings, RetriedCampaign } from '../events.js';
import type { Outcome } from '../outcomes.js';
import type { CampaignClass } from '../precedence.js';
import type { CapsDto, PlannedWaveDto, StopRuleDto, TimeoutsDto } from './campaign-settings.dto.js';
import type { DryRunSummaryView } from './dry-run.dto.js';
import { type WindowDto } from './campaign.dto.js';

export class RetriedView implements RetriedCampaign {
  campaignId!: string;
  outcomes!: Outcome[];
}

export class UndoableView {
  /** Name of the event. */
  step!: string;
  until!: string;
}

/** A campaign as routes show it: its settings and where it stands. */
export class CampaignView implements CampaignSettings {
  campaignId!: string;
  name!: string;
  /** Audience. */
  channel!: string;
  /** Content ids. */
  contents!: string[];
  mode!: 'device' | 'server' | 'either';
  /** Narrows the contents' own selectors: CEL over `device`. */
  selector!: string;
  start!: string | null;
  end!: string | null;
  windows!: WindowDto[];
  waveUpTo!: number;
  holdOut!: number;
  salt!: string;
  waves!: PlannedWaveDto[];
  class!: CampaignClass;
  priority!: number;
  caps!: CapsDto;
  stopRules!: StopRuleDto[];
  timeouts!: TimeoutsDto;
  conflictGroup!: string | null;
  confirmation?: boolean;
  status!: CampaignStatus;
  /** How it is paused; null when it is not. */
  pause!: 'soft' | 'hard' | null;
  /** Aborted with recall. */
  recalled!: boolean;
  /** Who has drafted or edited it. */
  authors!: string[];
  /** Who has approved it as it stands, and how many have to. */
  approvals!: string[];
  required!: number;
  /** The campaign whose devices are tried again. */
  parent!: RetriedView | null;
  /** What the dry run of its submission came to. */
  dryRun!: DryRunSummaryView | null;
  /** What can be taken back, and until when. */
  undoable!: UndoableView | null;
  /** Of its stream: ETag, and what If-Match names. */
  version!: number;
}

export class CampaignPage {
  items!: CampaignView[];
  /** Cursor of the next page; null on the last one. */
  next!: string | null;
}

export function viewOfCampaign(campaignId: string, state: CampaignState, version: number): CampaignView {
  const { status, pause, recalled, required, last, dryRun = null } = state;
  const settings = state.settings as Pick<CampaignView, keyof CampaignSettings>;
  const review = { authors: [...state.authors], approvals: [...state.approvals], required };
  const parent = state.parent as RetriedView | null;
  const undoable = last && { step: last.step, until: instant(Date.parse(last.at) + GRACE_MS) };
  return { campaignId, ...settings, status, pause, recalled, ...review, parent, dryRun, undoable, version };
}
