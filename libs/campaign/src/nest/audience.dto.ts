import { Transform, Type } from 'class-transformer';
import { ArrayMaxSize, IsArray, IsIn, IsInt, IsString, IsUUID, Matches, Max, MaxLength, Min } from 'class-validator';
import { CHANNEL, DEFAULT_CHANNEL } from '#identity/index.js';
import { MayBeAbsent } from '#runtime/nest/runtime.module.js';
import type { CampaignSettings } from '../events.js';

type Mode = CampaignSettings['mode'];

const MODES = ['device', 'server', 'either'] as const satisfies readonly Mode[];

export class AudienceQuery {
  /** CEL over `device`. */
  @IsString()
  @MaxLength(4_096)
  selector: string = 'true';

  @Matches(CHANNEL)
  channel: string = DEFAULT_CHANNEL;

  /** Who compares. */
  @IsIn(MODES)
  mode: Mode = 'server';

  /** Ids of contents; whoever fits one of them, and the selector, is counted. */
  @MayBeAbsent()
  @Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? [value] : value))
  @IsArray()
  @ArrayMaxSize(20)
  @IsUUID(undefined, { each: true })
  content?: string[];

  /** Id of a content or campaign, whose selector it is compared with. */
  @MayBeAbsent()
  @IsUUID()
  than?: string;

  /** Devices that are looked at, at most; of more, so many picked by chance. */
  @MayBeAbsent()
  @Type(() => Number)
  @IsInt()
  @Min(100)
  @Max(10_000)
  sample: number = 2_000;
}

/** So many devices: exactly, or estimated, with bounds at 95 %. */
export class ShareView {
  devices!: number;
  from!: number;
  to!: number;
}

export class AudienceView {
  /** false: the devices compare by themselves, and what they are does not leave them; all counts are null then. */
  isKnowable!: boolean;
  /** Active devices of the channel. */
  devices!: number | null;
  /** Of which were looked at. */
  looked!: number | null;
  /** The time of one answer was over before the sample was. */
  isPartial!: boolean;
  matching!: ShareView | null;
  notMatching!: ShareView | null;
  /** It asks for what they have not told. */
  unknown!: ShareView | null;
  /** They have told nothing yet, or nothing that the schema has. */
  untold!: ShareView | null;
  /** Match by this selector and not by that of `than`; and the other way round. Null without `than`. */
  gained!: ShareView | null;
  lost!: ShareView | null;
  /** The selector that `than` has. */
  thanSelector!: string | null;
}

export class FitQuery {
  /** CEL over `device`. */
  @IsString()
  @MaxLength(4_096)
  selector!: string;
}
