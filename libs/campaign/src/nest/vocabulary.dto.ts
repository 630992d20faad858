import { IsArray, IsIn, IsInt, IsObject, IsString, Matches, Max, MaxLength, Min } from 'class-validator';
import { CHANNEL } from '#identity/index.js';
import { MayBeAbsent } from '#runtime/nest/runtime.module.js';
import type { KeyRole } from './channel-keys.js';

export class ChannelParams {
  @Matches(CHANNEL)
  channel!: string;
}

/** An attribute schema. Versions count from 1 and only add. */
export class SchemaDto {
  @IsInt()
  @Min(1)
  version!: number;

  /** By name: `{type: int|double|string|bool|list<string>|list<int>, description?, personal?}`. */
  @IsObject()
  attributes!: object;
}

/** What wakes the handsets of a channel. */
export class RuleSetDto {
  /** One more than the version in force. */
  @IsInt()
  @Min(1)
  version!: number;

  /** `{id, on: [boot, timer, network, …], when?, minInterval?, jitter?, after?}` */
  @IsArray()
  rules!: object[];
}

export class ReviewPolicyDto {
  /** 0 = none. */
  @IsInt()
  @Min(0)
  @Max(10)
  approvals!: number;
}

export class ChannelDto {
  /** a-z, 0-9 and -, a letter first, at most 31. */
  @Matches(CHANNEL)
  channel!: string;
}

export class RotateKeysDto {
  @IsIn(['root', 'targets', 'catalogue', 'policy', 'snapshot', 'timestamp', 'grant'])
  role!: KeyRole;

  /** Opens the offline keys; shown once when the channel was made. Not needed for `grant`. */
  @MayBeAbsent()
  @IsString()
  @MaxLength(128)
  passphrase?: string;
}
