import { IntersectionType } from '@nestjs/swagger';
import { Transform, Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayUnique,
  IsArray,
  IsBoolean,
  IsEmail,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  IsUUID,
  Length,
  Matches,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';
import { MayBeAbsent, PageQuery } from '#runtime/nest/runtime.module.js';
import { CHANNEL, DEFAULT_CHANNEL, LABEL_LIMIT } from '../enrolment-csv.js';
import { ROLES, type Role } from '../roles.js';

/** Names and reasons: no control characters, so that no log line or terminal can be broken by them. */
const PLAIN = /^\P{Cc}*$/u;
const plain = { message: 'no control characters' };
/** ISO/IEC 7816-5: 5 to 16 bytes. */
const AID = /^([0-9A-F]{2}){5,16}$/;

/** Of a hawkBit client: it is a part of each address. */
export const CONTROLLER_ID = /^[^\p{Cc}\p{Cs}/]{1,100}$/u;

const DAY = 86_400;

export class IdParams {
  /** UUID. */
  @IsUUID()
  id!: string;
}

export class LoginDto {
  /** Tenant's id. */
  @IsString()
  @MaxLength(31)
  tenant!: string;

  /** E-mail address of the account. */
  @IsString()
  @MaxLength(254)
  email!: string;

  @IsString()
  @MaxLength(256)
  password!: string;

  /** For browsers: the session comes as a cookie, and the answer has no token. */
  @MayBeAbsent()
  @IsBoolean()
  cookie: boolean = false;
}

export class OwnPasswordDto {
  @IsString()
  @MaxLength(256)
  current!: string;

  /** 12 to 256 characters. */
  @IsString()
  @MaxLength(256)
  password!: string;
}

export class AdministratorDto {
  @IsEmail()
  @MaxLength(254)
  email!: string;

  @IsString()
  @Length(1, 100)
  @Matches(PLAIN, plain)
  name!: string;

  /** 12 to 256 characters. */
  @IsString()
  @MaxLength(256)
  password!: string;
}

export class AddTenantDto {
  /** 2 to 31 of a-z, 0-9 and -, a letter first. */
  @IsString()
  @MaxLength(31)
  tenant!: string;

  @IsString()
  @Length(1, 100)
  @Matches(PLAIN, plain)
  name!: string;

  /** Account of the tenant's first administrator. */
  @MayBeAbsent()
  @IsObject()
  @ValidateNested()
  @Type(() => AdministratorDto)
  administrator?: AdministratorDto;
}

export class AddUserDto extends AdministratorDto {
  @IsArray()
  @ArrayUnique()
  @IsIn(ROLES, { each: true })
  roles!: Role[];

  /** AID (hex, upper case) of the one security domain that the person is confined to. */
  @MayBeAbsent()
  @Matches(AID)
  domain?: string;
}

export class ChangeUserDto {
  @MayBeAbsent()
  @IsString()
  @Length(1, 100)
  @Matches(PLAIN, plain)
  name?: string;

  @MayBeAbsent()
  @IsArray()
  @ArrayUnique()
  @IsIn(ROLES, { each: true })
  roles?: Role[];

  @MayBeAbsent()
  @IsBoolean()
  disabled?: boolean;

  /** Whether the person runs the installation; granted and taken by those who do. */
  @MayBeAbsent()
  @IsBoolean()
  platform?: boolean;

  /** A new password; every session of the person ends. */
  @MayBeAbsent()
  @IsString()
  @MaxLength(256)
  password?: string;
}

export class IssueTokenDto {
  @IsString()
  @Length(1, 100)
  @Matches(PLAIN, plain)
  name!: string;

  /** Of those that the caller has. */
  @IsArray()
  @ArrayUnique()
  @ArrayMaxSize(ROLES.length)
  @IsIn(ROLES, { each: true })
  roles!: Role[];

  @MayBeAbsent()
  @IsInt()
  @Min(1)
  @Max(365)
  lifetimeDays: number = 90;
}

export class LifetimeDto {
  /** How long the code is good, seconds: one minute to 90 days. */
  @MayBeAbsent()
  @Type(() => Number)
  @IsInt()
  @Min(60)
  @Max(90 * DAY)
  lifetimeSeconds: number = 900;
}

export class IssueCodeDto extends LifetimeDto {
  /** What people call the device. Personal: sealed in the log, erased when the device is forgotten. */
  @IsOptional()
  @IsString()
  @MaxLength(LABEL_LIMIT)
  @Matches(PLAIN, plain)
  @Transform(({ value }: { value: unknown }) => (value === '' ? undefined : value))
  label?: string;

  /** The audience that the device joins. */
  @MayBeAbsent()
  @Matches(CHANNEL)
  channel: string = DEFAULT_CHANNEL;

  /** Makes it a gateway token of so many days, by which any number of hawkBit clients enrol and speak. */
  @MayBeAbsent()
  @IsInt()
  @Min(1)
  @Max(3_650)
  gatewayDays?: number;
}

/** A hawkBit client that a person makes known. */
export class EnrolControllerDto {
  /** How it names itself, as its `id` is set; 1 to 100 characters. Personal: sealed in the log. */
  @IsString()
  @Matches(CONTROLLER_ID)
  controllerId!: string;

  /** What people call it; absent: as it names itself. */
  @MayBeAbsent()
  @IsString()
  @Length(1, LABEL_LIMIT)
  @Matches(PLAIN, plain)
  label?: string;

  /** The audience that it joins. */
  @MayBeAbsent()
  @Matches(CHANNEL)
  channel: string = DEFAULT_CHANNEL;
}

export const DEVICE_STATUSES = ['active', 'revoked', 'forgotten'] as const;
export const DEVICE_KINDS = ['handset', 'hawkbit'] as const;

/** Which devices; all of it must hold. */
export class DeviceFilter {
  /** Beginning of the label, in any case, or at least four characters of the beginning of the id. */
  @MayBeAbsent()
  @IsString()
  @Length(1, LABEL_LIMIT)
  @Matches(PLAIN, plain)
  q?: string;

  @MayBeAbsent()
  @Matches(CHANNEL)
  channel?: string;

  @MayBeAbsent()
  @IsIn(DEVICE_STATUSES)
  status?: (typeof DEVICE_STATUSES)[number];

  /** `hawkbit`: those that speak hawkBit's device API. */
  @MayBeAbsent()
  @IsIn(DEVICE_KINDS)
  kind?: (typeof DEVICE_KINDS)[number];
}

export class DevicesQuery extends IntersectionType(PageQuery, DeviceFilter) {
  /** Number of the device that the page begins with, or the next there is: a place in the order of enrolment, so without `q` and `cursor`. */
  @MayBeAbsent()
  @Type(() => Number)
  @IsInt()
  @Min(0)
  @Max(2 ** 32 - 1)
  from?: number;
}

export class ReasonDto {
  @IsString()
  @Length(1, 200)
  @Matches(PLAIN, plain)
  reason!: string;
}

export class EnrolDto {
  /** The enrolment code. */
  @IsString()
  @MaxLength(100)
  code!: string;

  /** PKCS #10 certificate request, PEM, of a P-256 key. */
  @IsString()
  @MaxLength(8_192)
  csr!: string;
}

export class RenewDto {
  /** The certificate to renew, PEM. */
  @IsString()
  @MaxLength(8_192)
  certificate!: string;

  /** A request by the old or a new key, PEM. */
  @IsString()
  @MaxLength(8_192)
  csr!: string;

  /** Compact JWS, ES256, by the old key, over the digest of the CSR and the time. */
  @IsString()
  @MaxLength(4_096)
  proof!: string;
}
