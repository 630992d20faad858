import type { CampaignStatus } from '../views/progress-fold.js';
import type { DroppedDto } from './progress.dto.js';

export class OverviewCampaignDto {
  campaignId!: string;
  name!: string | null;
  channel!: string | null;
  status!: CampaignStatus;
  /** Distinct devices, as in the progress. */
  matched!: number;
  transferred!: number;
  installed!: number;
  confirmed!: number;
  /** Distinct devices that failed to install, or went back. */
  failed!: number;
  changedAt!: string;
}

/** A device that a content failed on. */
export class FailureDto {
  deviceId!: string;
  campaignId!: string;
  campaignName!: string | null;
  contentId!: string;
  kind!: DroppedDto['kind'];
  reason!: string;
  at!: string;
  /** Where the fact stands in the log: topic/partition/offset. */
  seq!: string;
}

/** A campaign that waits for somebody. */
export class AttentionDto {
  campaignId!: string;
  name!: string | null;
  /** `in-review` for an approver, `approved` and `halted` for an operator. */
  status!: CampaignStatus;
  since!: string;
}

export class OverviewLagDto {
  /** The worst of all read models. */
  state!: 'live' | 'behind' | 'rebuilding' | 'stopped';
  /** Of the read model that is furthest behind. */
  events!: number;
  seconds!: number;
  /** Streams put aside in all of them. */
  parked!: number;
}

export class OverviewDto {
  /** Running, paused, halted and draining ones, changed last first; 50 at most. */
  campaigns!: OverviewCampaignDto[];
  /** The newest of these campaigns; 20 at most. */
  failures!: FailureDto[];
  /** What waits for somebody, changed last first; 50 at most. */
  attention!: AttentionDto[];
  lag!: OverviewLagDto;
  /** What the campaigns are as of. */
  position!: string;
}
