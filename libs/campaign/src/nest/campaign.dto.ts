import { Transform, Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  ArrayUnique,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  IsUUID,
  isISO8601,
  Matches,
  Max,
  MaxLength,
  Min,
  MinLength,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import { BUCKETS } from '#matching/index.js';
import { MayBeAbsent } from '#runtime/nest/runtime.module.js';
import type { CampaignSettings } from '../events.js';
import { type Outcome, OUTCOMES } from '../outcomes.js';
import { type CampaignClass, CLASSES } from '../precedence.js';
import { CapsDto, PlannedWaveDto, StopRuleDto, TimeoutsDto } from './campaign-settings.dto.js';
import { PLAIN, plain } from './content.dto.js';

export class CampaignParams {
  /** Campaign id. */
  @IsUUID()
  campaignId!: string;
}

/** RFC 3339 in any offset becomes UTC with milliseconds, the one form that is stored; what is no instant is left to be refused. */
const asInstant = ({ value }: { value: unknown }): unknown => {
  const isInstant =
    isISO8601(value, { strict: true }) && // Date.parse alone makes 2 March of 30 February
    /^\d{4}-\d\d-\d\dT([01]\d|2[0-3]):\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/.test(String(value));
  const ms = isInstant ? Date.parse(String(value)) : Number.NaN;
  return Number.isNaN(ms) ? value : new Date(ms).toISOString();
};
const UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const NOT_AN_INSTANT = { message: '$property must be an RFC 3339 instant, e.g. 2026-11-24T09:00:00Z' };

/** A weekly window. */
export class WindowDto {
  /** 1 = Monday … 7 = Sunday. */
  @IsArray()
  @ArrayMaxSize(7)
  @IsInt({ each: true })
  days!: number[];

  /** Local `HH:MM`. */
  @IsString()
  @MaxLength(5)
  from!: string;

  /** Local `HH:MM`; not after `from` means the next day. */
  @IsString()
  @MaxLength(5)
  to!: string;

  /** IANA time zone, or `device` for the handset's own. */
  @IsString()
  @MaxLength(64)
  zone!: string;
}

export class CampaignDto {
  @IsString()
  @MinLength(1)
  @MaxLength(255)
  @Matches(PLAIN, plain)
  name!: string;

  /** Audience. */
  @IsString()
  @MaxLength(31)
  channel: string = 'main';

  /** Content ids, at least one. */
  @IsArray()
  @ArrayMaxSize(100)
  @ArrayUnique()
  @IsUUID(undefined, { each: true })
  contents!: string[];

  /** Where selectors are compared: on the handset, on the server, or on either. */
  @IsIn(['device', 'server', 'either'])
  mode: CampaignSettings['mode'] = 'device';

  /** Narrows the contents' own selectors: CEL over `device`. */
  @IsString()
  @MaxLength(4_096)
  selector: string = 'true';

  /** When it starts; absent = when it is scheduled. */
  @ValidateIf((_, value) => value !== null)
  @IsOptional()
  @Transform(asInstant)
  @Matches(UTC, NOT_AN_INSTANT)
  start: string | null = null;

  /** When it ends; absent = never by itself. */
  @ValidateIf((_, value) => value !== null)
  @IsOptional()
  @Transform(asInstant)
  @Matches(UTC, NOT_AN_INSTANT)
  end: string | null = null;

  /** When handsets may ask for it; none = always. */
  @IsArray()
  @ArrayMaxSize(20)
  @IsObject({ each: true }) // an empty list would pass as nested objects
  @ValidateNested({ each: true })
  @Type(() => WindowDto)
  windows: WindowDto[] = [];

  /** In the wave are devices whose bucket (0 to 9,999) is below this; absent = all, or as the first of `waves` says. */
  @MayBeAbsent()
  @IsInt()
  @Min(0)
  @Max(10_000)
  waveUpTo?: number;

  /** In the order of their opening; none: waves are opened by hand. */
  @IsArray()
  @ArrayMaxSize(100)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => PlannedWaveDto)
  waves: PlannedWaveDto[] = [];

  /** The last so many buckets never get it. */
  @IsInt()
  @Min(0)
  @Max(10_000)
  holdOut: number = 0;

  /** Decides which bucket a device is in; absent = the campaign's id. */
  @MayBeAbsent()
  @Matches(/^[\x21-\x7e]{1,64}$/)
  salt?: string;

  /** Goes before any priority. */
  @IsIn(CLASSES)
  class: CampaignClass = 'normal';

  /** Higher goes first in its class, 0 to 1,000; grows by 10 a day while it runs. */
  @IsInt()
  @Min(0)
  @Max(1_000)
  priority: number = 500;

  @IsObject()
  @ValidateNested()
  @Type(() => CapsDto)
  caps: CapsDto = new CapsDto();

  /** The first that fires halts it. */
  @IsArray()
  @ArrayMaxSize(20)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => StopRuleDto)
  stopRules: StopRuleDto[] = [];

  @IsObject()
  @ValidateNested()
  @Type(() => TimeoutsDto)
  timeouts: TimeoutsDto = new TimeoutsDto();

  /** Of the campaigns of one group a device has one at a time: name the component that they touch. */
  @ValidateIf((_, value) => value !== null)
  @IsOptional()
  @Matches(/^[a-z0-9][a-z0-9-]{0,63}$/)
  conflictGroup: string | null = null;

  /** The user of a hawkBit client is asked first; other devices ask theirs by rules of their own. */
  @MayBeAbsent()
  @IsBoolean()
  confirmation?: boolean;
}

/** Asks for a review. */
export class SubmitDto {
  /** Digest of the dry run that you have seen, sha-256 hex: refused when it is not of this draft, or not fresh. */
  @MayBeAbsent()
  @Matches(/^[0-9a-f]{64}$/)
  report?: string;
}

export class RetryDto {
  /** What must have become of a device with the campaign that is tried again. */
  @IsArray()
  @ArrayMinSize(1)
  @ArrayUnique()
  @IsIn(
    OUTCOMES.filter((outcome) => outcome !== 'confirmed'),
    { each: true },
  )
  outcomes!: Outcome[];
}

export class ApproveDto {
  @IsString()
  @MaxLength(500)
  @Matches(PLAIN, plain)
  remark: string = '';
}

export class ResumeDto {
  /** Asked for when a rule has halted it. */
  @MayBeAbsent()
  @IsString()
  @MinLength(1)
  @MaxLength(500)
  @Matches(PLAIN, plain)
  reason?: string;
}

export class ScheduleDto {
  /** When it starts; absent = the draft's start, or now. */
  @MayBeAbsent()
  @Transform(asInstant)
  @Matches(UTC, NOT_AN_INSTANT)
  start?: string;

  /** When it ends; absent = the draft's end, null = never by itself. */
  @ValidateIf((_, value) => value !== null)
  @IsOptional()
  @Transform(asInstant)
  @Matches(UTC, NOT_AN_INSTANT)
  end?: string | null;
}

export class ReasonDto {
  @IsString()
  @MinLength(1)
  @MaxLength(500)
  @Matches(PLAIN, plain)
  reason!: string;
}

export class PauseDto extends ReasonDto {
  /** soft: no new grants; hard: also no further bytes of running transfers. */
  @IsIn(['soft', 'hard'])
  kind: 'soft' | 'hard' = 'soft';
}

export class AbortDto extends ReasonDto {
  /** keep: what handsets have stays; recall: what was granted is cancelled. */
  @IsIn(['keep', 'recall'])
  disposition: 'keep' | 'recall' = 'keep';
}

export class OpenWaveDto {
  @IsInt()
  @Min(0)
  @Max(10_000)
  waveUpTo!: number;
}

/** Plain JSON, as events hold it; a DTO's windows are instances of classes. */
export function settingsOf(campaignId: string, dto: CampaignDto): CampaignSettings {
  const waveUpTo = dto.waveUpTo ?? dto.waves[0]?.upTo ?? BUCKETS;
  return JSON.parse(JSON.stringify({ ...dto, waveUpTo, salt: dto.salt ?? campaignId })) as CampaignSettings;
}
