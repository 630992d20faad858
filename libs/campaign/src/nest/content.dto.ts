import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsMimeType,
  IsObject,
  IsString,
  IsUUID,
  Matches,
  MaxLength,
  MinLength,
  ValidateNested,
} from 'class-validator';
import type { AttributeValue } from '#device-protocol/index.js';
import { MayBeAbsent } from '#runtime/nest/runtime.module.js';

/** For people to read: nothing that acts on a terminal. */
export const PLAIN = /^[^\p{Cc}\p{Cs}]*$/u;
export const plain = { message: 'no control characters' };

export class ContentParams {
  /** Content id. */
  @IsUUID()
  contentId!: string;
}

/** What a content is, for people and for matching; every handset of the channel can read it. */
export class DescriptionDto {
  /** What people call it; 1 to 255 bytes of UTF-8. */
  @IsString()
  @MinLength(1)
  @MaxLength(255)
  name!: string;

  @IsString()
  @MinLength(1)
  @MaxLength(64)
  @Matches(PLAIN, plain)
  version!: string;

  @IsMimeType()
  @MaxLength(127)
  mediaType: string = 'application/octet-stream';

  /** Facts about the content, by name. */
  @MayBeAbsent()
  @IsObject()
  attributes: Record<string, AttributeValue> = {};

  /** AID (hex, upper case) of the security domain that the content is for. */
  @MayBeAbsent()
  @Matches(/^([0-9A-F]{2}){5,16}$/)
  securityDomain?: string;

  /** Applications that process the content, in order; the next is told when the one before has acknowledged. */
  @MayBeAbsent()
  @IsArray()
  @ArrayMaxSize(16)
  @Matches(/^[\x21-\x7e]{1,64}$/, { each: true })
  applications?: string[];
}

export class PublishContentDto {
  /** A finished upload, the last part of its address. The content gets its id. */
  @IsUUID()
  uploadId!: string;

  /** sha-256 of the bytes, hex; refused if the upload has another. */
  @MayBeAbsent()
  @Matches(/^[0-9a-f]{64}$/)
  sha256?: string;

  @IsObject()
  @ValidateNested()
  @Type(() => DescriptionDto)
  description!: DescriptionDto;

  /** Which handsets it fits: CEL over `device`. */
  @IsString()
  @MaxLength(4_096)
  selector: string = 'true';
}

export class WithdrawContentDto {
  @IsString()
  @MinLength(1)
  @MaxLength(500)
  @Matches(PLAIN, plain)
  reason!: string;
}
