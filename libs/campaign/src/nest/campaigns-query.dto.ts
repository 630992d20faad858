import { Transform } from 'class-transformer';
import { ArrayMaxSize, ArrayUnique, IsArray, IsIn, IsString, Length, Matches } from 'class-validator';
import { MayBeAbsent, PageQuery } from '#runtime/nest/runtime.module.js';
import type { CampaignStatus } from '../campaign.js';

/** Every one but that of a campaign that there is not. One that is missing does not compile. */
const STATUSES = Object.keys({
  draft: true,
  'in-review': true,
  approved: true,
  scheduled: true,
  running: true,
  paused: true,
  halted: true,
  draining: true,
  completed: true,
  aborted: true,
} satisfies Record<Exclude<CampaignStatus, 'none'>, true>) as Exclude<CampaignStatus, 'none'>[];

/** Which campaigns; all of it must hold. */
export class CampaignsQuery extends PageQuery {
  /** Any of these, by comma. */
  @MayBeAbsent()
  @Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? value.split(',') : value))
  @IsArray()
  @ArrayUnique()
  @ArrayMaxSize(STATUSES.length)
  @IsIn(STATUSES, { each: true })
  status?: Exclude<CampaignStatus, 'none'>[];

  /** Anywhere in the name, in any case. */
  @MayBeAbsent()
  @IsString()
  @Length(1, 200)
  @Matches(/^\P{Cc}*$/u, { message: 'no control characters' })
  q?: string;

  /** `me`: in review, and the caller has neither written nor approved it. Whether they may approve is their roles' to say. */
  @MayBeAbsent()
  @IsIn(['me'])
  awaiting?: 'me';
}
