import { ApiProperty } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, Max, Min } from 'class-validator';
import { instant } from '#runtime/index.js';
import { CUT_BY, type CutBy, type Replayed, type Rival } from '../dry-run.js';
import type { DryRunSummary } from '../events.js';

export class DryRunQuery {
  /** So many days of recorded polls, 1 to 31. */
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(31)
  days: number = 7;
}

/** What a dry run came to. */
export class DryRunSummaryView implements DryRunSummary {
  /** Of the draft, the place in the log and the days, sha-256 hex. */
  digest!: string;
  position!: string;
  /** So many days of polls it was to cover; absent of submissions of before this was kept. */
  days?: number;
  /** What it covered: an `until` long ago is of another time. */
  from!: string;
  until!: string;
  isPartial!: boolean;
  isKnowable!: boolean;
  polls!: number;
  devices!: number;
  fits!: number | null;
  served!: number | null;
  starved!: number | null;
  bytes!: number | null;
  peakBytesPerHour!: number | null;
  rivals!: number | null;
}

export class DryRunHeldView {
  wave!: number;
  'hold-out'!: number;
}

export class DryRunStarvedView {
  cap!: number;
  conflict!: number;
  window!: number;
}

export class DryRunHourView {
  /** Its beginning. */
  at!: string;
  polls!: number;
  /** Contents that devices would have got. */
  matches!: number | null;
  bytes!: number | null;
}

export class RivalView implements Rival {
  campaignId!: string;
  /** group: a device has one of them at a time; content: both bring the same. */
  kind!: 'group' | 'content';
  devices!: number;
  /** Devices at which the draft comes first. */
  won!: number;
}

/** What a draft would have come to, by the polls that were recorded. Counts only. */
export class DryRunView {
  campaignId!: string;
  /** Of the draft, the place in the log and the days, sha-256 hex: what a review names. */
  digest!: string;
  /** Where the log ended. */
  position!: string;
  /** So many days of polls it was to cover. */
  days!: number;
  from!: string;
  /** Where the polls were cut: how far it got. */
  until!: string;
  /** Not all of the time, or not all of what devices had told before it, could be read within the limits. */
  isPartial!: boolean;
  /** What ended the reading before its end: the time, or so many records, devices, or devices of which something is kept. */
  @ApiProperty({ enum: CUT_BY, isArray: true })
  cutBy!: CutBy[];
  isKnowable!: boolean;
  /** Why nothing but polls can be counted; null when all is. */
  why!: string | null;
  polls!: number;
  /** Devices that polled. */
  devices!: number;
  fits!: number | null;
  doesNotFit!: number | null;
  /** Devices that have told nothing of themselves that is known. */
  unknown!: number | null;
  /** Of those that fit: they would have got something. */
  served!: number | null;
  /** Not served because the draft says so. */
  held!: DryRunHeldView | null;
  /** Not served because their turn did not come. */
  starved!: DryRunStarvedView | null;
  bytes!: number | null;
  hours!: DryRunHourView[];
  /** Running campaigns that meet the draft at devices. */
  rivals!: RivalView[] | null;
}

const NOT_KNOWABLE =
  'the devices compare by themselves: what they are stays with them, so who fits, and what they would fetch, is not known here';

export function viewOfDryRun(campaignId: string, { report, cutBy, ...of }: Replayed): DryRunView {
  const hours = report.hours.map(({ at, ...hour }) => ({ at: instant(at), ...hour }));
  const rivals = report.rivals && [...report.rivals];
  return {
    campaignId,
    ...of,
    cutBy: [...cutBy],
    ...report,
    why: report.isKnowable ? null : NOT_KNOWABLE,
    hours,
    rivals,
  };
}
