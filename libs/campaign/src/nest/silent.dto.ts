import { Type } from 'class-transformer';
import { IsInt, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import { MayBeAbsent, PageQuery } from '#runtime/nest/runtime.module.js';
import type { Eligibility } from '../silent.js';

export class SilentQuery extends PageQuery {
  /** Not heard of for so many days, 1 to 365. */
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(365)
  days: number = 7;
}

export class WakeSilentDto {
  /** Not heard of for so many days. */
  @IsInt()
  @Min(1)
  @Max(365)
  days: number = 7;

  /** So many devices at most. */
  @IsInt()
  @Min(1)
  @Max(1_000)
  limit: number = 500;

  /** `next` of the call before, to go on behind the devices that it came to; absent to begin with the first. */
  @MayBeAbsent()
  @IsString()
  @MaxLength(1_024)
  cursor?: string;
}

export class SilentDeviceView {
  deviceId!: string;
  deviceNo!: number;
  /** When it asked last; null: never. */
  lastSeenAt!: string | null;
  enrolledAt!: string;
  /** eligible: it fits, by what is known of it; unknown: it has told nothing yet, or nothing that the schema of today has; not-knowable: it compares by itself. */
  eligibility!: Eligibility;
}

export class SilentPage {
  /** May be fewer than asked for although there are more. */
  items!: SilentDeviceView[];
  /** Cursor of the next page; null on the last one. */
  next!: string | null;
}

export class WokenView {
  /** Devices whose wake was taken by the channel's target. */
  sent!: number;
  /** Devices whose wake was not taken. */
  failed!: number;
  /** True when the rate, the limit or the time of one call ended it, and there may be more. */
  isPartial!: boolean;
  /** Cursor for the next call, which goes on behind the devices that this one came to; the same again while the rate lets none go; null at the end. */
  next!: string | null;
}

export class WakeTargetDto {
  /** https. Private addresses, this machine, and http to them want the server's setting `MUSTER_PRIVATE_TARGETS`. */
  @IsString()
  @MaxLength(2_000)
  url!: string;

  /** Messages a minute at most. */
  @IsInt()
  @Min(1)
  @Max(100_000)
  perMinute: number = 600;
}

export class WakeTargetView {
  channel!: string;
  url!: string;
  perMinute!: number;
}

export class WakeTargetSet extends WakeTargetView {
  /** Key of the signatures: `Muster-Signature: t=<seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`. Shown in this answer alone; new with each change. */
  secret!: string;
}
