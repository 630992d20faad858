import { Type } from 'class-transformer';
import { IsIn, IsInt, IsNumber, IsObject, IsOptional, Max, Min, ValidateIf, ValidateNested } from 'class-validator';
import type { Caps } from '../caps.js';
import type { Timeouts } from '../outcomes.js';
import { STOPS, type StopRule } from '../stop-rules.js';
import type { Wave, WaveGate } from '../waves.js';

const MINUTES_OF_A_YEAR = 525_600;
const orNull = ValidateIf((_, value) => value !== null);

/** What must be true of a wave before the next opens. */
export class WaveGateDto implements WaveGate {
  /** So many devices of it have an outcome. */
  @IsInt()
  @Min(1)
  @Max(10_000_000)
  minimum!: number;

  /** Lower bound, at 95 % (Wilson), of the share of those that is confirmed: 0 to 1. */
  @IsNumber()
  @Min(0)
  @Max(1)
  success!: number;

  /** If it has not come to that by then, the campaign is halted; minutes. */
  @IsInt()
  @Min(1)
  @Max(MINUTES_OF_A_YEAR)
  timeoutMinutes!: number;
}

export class PlannedWaveDto implements Wave {
  /** Buckets below are in it, those of the waves before included. */
  @IsInt()
  @Min(1)
  @Max(10_000)
  upTo!: number;

  /** For the wave behind it; null: a person opens that. */
  @orNull
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => WaveGateDto)
  gate: WaveGateDto | null = null;
}

/** What it may take of the network at most; null = as much as there is. */
export class CapsDto implements Caps {
  /** Transfers at one time. */
  @orNull
  @IsInt()
  @Min(0)
  @Max(Number.MAX_SAFE_INTEGER)
  transfers: number | null = null;

  @orNull
  @IsInt()
  @Min(0)
  @Max(Number.MAX_SAFE_INTEGER)
  bytesPerSecond: number | null = null;

  /** Of a day in UTC. */
  @orNull
  @IsInt()
  @Min(0)
  @Max(Number.MAX_SAFE_INTEGER)
  bytesPerDay: number | null = null;
}

/** Halts the campaign when too many devices come to an end that is none. */
export class StopRuleDto implements StopRule {
  /** `silent`: installed and never heard of again; `lost`: failed, timed out or silent. */
  @IsIn(STOPS)
  on!: StopRule['on'];

  /** Share of those with an outcome that is too much: 0 (the first halts it) to 1. */
  @IsNumber()
  @Min(0)
  @Max(1)
  share!: number;

  /** Not before so many devices have an outcome. */
  @IsInt()
  @Min(0)
  @Max(10_000_000)
  minimum: number = 0;
}

/** After so long without a word a device counts as lost, minutes; null = never. */
export class TimeoutsDto implements Timeouts {
  /** From the grant to the transfer's end. */
  @orNull
  @IsInt()
  @Min(1)
  @Max(MINUTES_OF_A_YEAR)
  transferMinutes: number | null = null;

  /** From the installation to its confirmation. */
  @orNull
  @IsInt()
  @Min(1)
  @Max(MINUTES_OF_A_YEAR)
  confirmMinutes: number | null = null;
}
