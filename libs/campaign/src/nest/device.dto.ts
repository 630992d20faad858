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
  type AttributeValue,
  AVAILABILITY_LIMITS,
  type AvailabilityRequest,
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
import { DescriptionView } from './content-view.dto.js';

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

/** What the device is, and what it has. */
export class AvailabilityDto implements AvailabilityRequest {
  /** By name, against the tenant's schema; a 64-bit integer beyond 2^53 is a decimal string. */
  @IsObject()
  attributes!: Record<string, AttributeValue>;

  /** IANA zone of the device. */
  @IsString()
  @Matches(/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/, { message: 'zone must be an IANA zone' })
  zone: string = 'UTC';

  /** Contents that it holds or has declined: named in the answer, and not transmitted. */
  @IsArray()
  @ArrayMaxSize(AVAILABILITY_LIMITS.except)
  @IsUUID(undefined, { each: true })
  except: string[] = [];
}

/** How a content comes: by a grant, and with its bytes when it is small. */
export class TransmittedDto {
  /** Compact JWS, for `Authorization: Grant <jws>`. */
  grant!: string;
  url!: string;
  /** The whole content, base64. */
  bytes?: string;
}

export class AvailableContentDto extends OfferRefDto {
  priority!: number;
  description!: DescriptionView;
  sizeBytes!: number;
  sha256!: string;
  /** Absent for what the request excepts. */
  transmitted?: TransmittedDto;
}

export class AvailabilityAnswerDto {
  /** What fits, the highest priority first. */
  contents!: AvailableContentDto[];
  /** ETag of the channel's timestamp. */
  catalogue!: string;
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
