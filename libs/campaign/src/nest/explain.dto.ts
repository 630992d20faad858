import { ApiProperty } from '@nestjs/swagger';
import { IsOptional, IsString, IsUUID, MaxLength } from 'class-validator';
import type { ExplainedCondition, ExplainedGate, ExplainedRule, GateName, Source, Unknown } from '#matching/index.js';

export class ExplainedDeviceParam {
  /** The device's id. */
  @IsUUID()
  id!: string;
}

export class ExplainQuery {
  /** The campaign's id. */
  @IsUUID()
  campaign!: string;

  /** The past moment to answer for: an RFC 3339 instant (what had been received by then), or the `position` of an answer of this route. */
  @IsOptional()
  @IsString()
  @MaxLength(4_096)
  as_of?: string;
}

/** What the compiler cannot say of a union. */
const TRUTH = { oneOf: [{ type: 'boolean' }, { type: 'string', enum: ['unknown'] }] };

/** A gate, and whether it lets the device through. */
export class ExplainedGateDto {
  gate!: GateName;
  /** true, false or `unknown`. */
  @ApiProperty(TRUTH)
  passes!: boolean | 'unknown';
  /** Why it is unknown. */
  because?: Unknown;
  /** What was looked at. */
  value!: ExplainedGate['value'];
  /** Who says so: the device of itself, what the server keeps, the campaign's settings, or the server by computing it. */
  source!: Source;
  /** When its source said so, RFC 3339; null: now. */
  at!: string | null;
}

/** What the device has to be: the selectors of content and campaign. */
export class ExplainedRuleDto {
  /** Both selectors, which must hold. */
  selector!: string;
  /** sha-256 of the selector, hex: which rule it was. */
  digest!: string;
  /** true, false or `unknown`. */
  @ApiProperty(TRUTH)
  result!: boolean | 'unknown';
  because?: Unknown;
  /** Code, when the schema does not have what it names. */
  refused?: string;
  source!: Source;
  /** When the device told or reported it, RFC 3339. */
  at!: string | null;
  /** Every part of the rule, each true, false or unknown, with the values that it read; null: there is none to show. */
  condition!: ExplainedCondition | null;
  /** The fewest conditions that would have to come out otherwise; null when it holds, or when nobody can say. */
  wouldMatchIf!: ExplainedRule['wouldMatchIf'];
}

/** One thing on the record. */
export class ExplainedFactDto {
  /** Name of the event. */
  event!: string;
  /** Its reason, gate or outcome. */
  code!: string | null;
  /** When it came here, RFC 3339. */
  at!: string;
}

/** One content of the campaign, for the device. */
export class ExplainedOfferDto {
  contentId!: string;
  campaignId!: string;
  /** Whether the device is offered it if it asks now: true, false or `unknown`. */
  @ApiProperty(TRUTH)
  offered!: boolean | 'unknown';
  /** The first gate that does not let it through. */
  stoppedBy!: GateName | null;
  /** In the order in which they are asked. */
  gates!: ExplainedGateDto[];
  rule!: ExplainedRuleDto | null;
  /** What has happened so far, in order. */
  history!: ExplainedFactDto[];
}

export class ExplanationDto {
  campaignId!: string;
  deviceId!: string;
  /** Who computed it. */
  by!: 'server' | 'handset';
  /** The moment that gates of time were asked for, RFC 3339; of a position, when the last of what bears on the answer came. */
  at!: string;
  /** What the answer is as of; `as_of` takes it. */
  position!: string | null;
  offers!: ExplainedOfferDto[];
}
