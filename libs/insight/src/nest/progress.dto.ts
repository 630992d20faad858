import type { CampaignStatus } from '../views/progress-fold.js';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsISO8601, IsOptional, IsString, IsUUID, Matches, Max, MaxLength, Min } from 'class-validator';
import { MayBeAbsent, PageQuery } from '#runtime/nest/runtime.module.js';

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

export const DEVICE_STEPS = ['matched', 'requested', 'transferred', 'installed', 'confirmed'] as const;
export type DeviceStep = (typeof DEVICE_STEPS)[number];
export const DROP_KINDS = ['declined', 'withheld', 'failed'] as const;

/** Which of a campaign's devices; all of it must hold. */
export class CampaignDevicesQuery extends PageQuery {
  /** That came so far. */
  @MayBeAbsent()
  @IsIn(DEVICE_STEPS)
  reached?: DeviceStep;

  /** That did not come so far. */
  @MayBeAbsent()
  @IsIn(DEVICE_STEPS)
  missed?: DeviceStep;

  /** That are not going on, for such a reason. */
  @MayBeAbsent()
  @IsIn(DROP_KINDS)
  kind?: DroppedDto['kind'];

  /** As `dropped` of the progress names it. */
  @MayBeAbsent()
  @Matches(/^[a-z][a-z0-9-]{0,40}$/)
  reason?: string;

  /** The past moment to answer for, as in the progress. */
  @IsOptional()
  @IsString()
  @MaxLength(4_096)
  as_of?: string;
}

/** How far one device came with one content of the campaign. Instants are when the server learned it; null: not come that far. */
export class CampaignDeviceDto {
  deviceId!: string;
  contentId!: string;
  matchedAt!: string | null;
  requestedAt!: string | null;
  transferredAt!: string | null;
  installedAt!: string | null;
  confirmedAt!: string | null;
  /** Why it is not going on; null: it is. */
  kind!: DroppedDto['kind'] | null;
  reason!: string | null;
  changedAt!: string;
  /** Where its newest fact stands in the log: topic/partition/offset. */
  seq!: string;
}

export class CampaignDevicesPage {
  items!: CampaignDeviceDto[];
  /** Cursor of the next page; null on the last one. */
  next!: string | null;
  /** What the answer is as of; `as_of` takes it. */
  position!: string;
}

export class RateQuery {
  /** RFC 3339; the campaign's first step when absent. */
  @MayBeAbsent()
  @IsISO8601({ strict: true })
  @MaxLength(40)
  from?: string;

  /** RFC 3339; the campaign's last step when absent. */
  @MayBeAbsent()
  @IsISO8601({ strict: true })
  @MaxLength(40)
  to?: string;

  /** How many points at most. */
  @MayBeAbsent()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(1_000)
  points: number = 240;

  /** The past moment to answer for, as in the progress. */
  @IsOptional()
  @IsString()
  @MaxLength(4_096)
  as_of?: string;
}

/** Contents on devices that came to each step between `at` and the next point. */
export class RatePointDto {
  at!: string;
  matched!: number;
  requested!: number;
  transferred!: number;
  installed!: number;
  confirmed!: number;
}

export class RateDto {
  campaignId!: string;
  /** Seconds between two points: the smallest of a minute, 5, 15 minutes, an hour, 6 hours, a day, a week that needs no more points. */
  stepSeconds!: number;
  /** One after the other, without gaps; none while nothing has happened. */
  points!: RatePointDto[];
  /** What the answer is as of; `as_of` takes it. */
  position!: string;
}
