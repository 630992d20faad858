import type { CampaignStatus } from '../views/progress-fold.js';
import { IsOptional, IsString, IsUUID, MaxLength } from 'class-validator';

export class CampaignIdParam {
  /** The campaign's id. */
  @IsUUID()
  id!: string;
}

export class AsOfQuery {
  /** The past moment to answer for: an RFC 3339 instant (what had been received by then), or the `position` of an answer of this route. */
  @IsOptional()
  @IsString()
  @MaxLength(4_096)
  as_of?: string;
}

/** Distinct devices that came so far. Each step counts for itself. */
export class FunnelDto {
  /** Polls were answered with a catalogue that held the campaign. */
  polled!: number;
  /** A content was asked for, or declined with any reason but no-fit. */
  matched!: number;
  /** A content was asked for, whether it was granted or held back by a gate. */
  requested!: number;
  /** The bytes are there and their digest is right. */
  transferred!: number;
  installed!: number;
  /** The handset confirmed that it works with what was installed. */
  confirmed!: number;
}

/** Devices that are not going on, by their last word or by the gate that holds them. */
export class DroppedDto {
  kind!: 'declined' | 'withheld' | 'failed';
  /** Reason of a decline, name of a gate, `install-failed` or `rolled-back`. */
  reason!: string;
  /** Distinct devices. */
  devices!: number;
}

export class ProgressDto {
  campaignId!: string;
  name!: string | null;
  channel!: string | null;
  status!: CampaignStatus | null;
  funnel!: FunnelDto;
  dropped!: DroppedDto[];
  /** When the newest fact in it came, RFC 3339. */
  eventAt!: string;
  /** Where that fact stands in the log: topic/partition/offset. */
  seq!: string;
  /** What the answer is as of; `as_of` takes it. */
  position!: string;
}
