import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsIn,
  IsInt,
  IsISO8601,
  IsObject,
  IsString,
  IsUUID,
  Matches,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';
import {
  type ContentRequests,
  DECLINE_REASONS,
  type DeclineReason,
  type Declines,
  type DeviceFact,
  type FactBatch,
  type Gate,
  LIMITS,
  type OfferRef,
} from '#device-protocol/index.js';

/** A content, as one campaign offers it. */
export class OfferRefDto implements OfferRef {
  @IsUUID()
  contentId!: string;

  @IsUUID()
  campaignId!: string;
}

export class ContentRequestsDto implements ContentRequests {
  /** TUF snapshot that the offers were read from. */
  @IsInt()
  @Min(1)
  @Max(2 ** 31)
  snapshotVersion!: number;

  /** Identifiers of what fits. */
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(LIMITS.requestsPerCall)
  @IsObject({ each: true }) // an empty list would pass as nested objects
  @ValidateNested({ each: true })
  @Type(() => OfferRefDto)
  requests!: OfferRefDto[];
}

export class DeclineDto extends OfferRefDto {
  /** Why it is not taken; never which condition failed. */
  @IsIn(DECLINE_REASONS)
  reason!: DeclineReason;
}

export class DeclinesDto implements Declines {
  @IsInt()
  @Min(1)
  @Max(2 ** 31)
  snapshotVersion!: number;

  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(LIMITS.declinesPerCall)
  @IsObject({ each: true }) // an empty list would pass as nested objects
  @ValidateNested({ each: true })
  @Type(() => DeclineDto)
  declines!: DeclineDto[];
}

export class SequenceDto {
  /** Given at enrolment, renewed when the handset has lost its store. */
  @IsInt()
  @Min(1)
  @Max(2 ** 31)
  epoch!: number;

  @IsInt()
  @Min(1)
  @Max(Number.MAX_SAFE_INTEGER)
  n!: number;
}

export class DeviceFactDto implements DeviceFact {
  @IsObject()
  @ValidateNested()
  @Type(() => SequenceDto)
  seq!: SequenceDto;

  @IsString()
  @MaxLength(64)
  type!: string;

  /** RFC 3339, UTC, by the handset's clock. */
  @IsISO8601({ strict: true }) // a day of the calendar
  @Matches(/^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?Z$/)
  occurredAt!: string;

  @IsObject()
  data!: Record<string, unknown>;
}

export class FactBatchDto implements FactBatch {
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(LIMITS.factsPerBatch)
  @IsObject({ each: true }) // an empty list would pass as nested objects
  @ValidateNested({ each: true })
  @Type(() => DeviceFactDto)
  facts!: DeviceFactDto[];
}

/** A grant and where its bytes are, or the gate that holds. */
export class RequestAnswerDto extends OfferRefDto {
  /** Compact JWS, for `Authorization: Grant <jws>`. */
  grant?: string;
  url?: string;
  sizeBytes?: number;
  sha256?: string;
  gate?: Gate;
  retryAfterSeconds?: number;
}

export class ContentRequestsAnswerDto {
  answers!: RequestAnswerDto[];
}

export class FactBatchAnswerDto {
  /** The highest sequence that is held. */
  accepted!: SequenceDto;
}
