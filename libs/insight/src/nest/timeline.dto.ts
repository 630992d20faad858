import { IsOptional, IsString, IsUUID, MaxLength } from 'class-validator';
import { PageQuery } from '#runtime/nest/runtime.module.js';

export class DeviceIdParam {
  /** The device's id. */
  @IsUUID()
  id!: string;
}

export class TimelineQuery extends PageQuery {
  /** The past moment to answer for: an RFC 3339 instant (what had been received by then), or the `position` of an answer of this route. */
  @IsOptional()
  @IsString()
  @MaxLength(4_096)
  as_of?: string;
}

/** One thing that happened to the device. */
export class TimelineLineDto {
  /** When it happened, by the clock of who saw it, RFC 3339. */
  eventAt!: string;
  /** When it came here, RFC 3339. */
  receivedAt!: string;
  /** Where it stands in the log: topic/partition/offset. */
  seq!: string;
  /** Place in its record; polls are recorded many at a time. */
  item!: number;
  /** Name of the event. */
  event!: string;
  /** The same in words. */
  text!: string;
  campaignId!: string | null;
  contentId!: string | null;
  /** The reason, gate, outcome, rule or key that the event names. */
  code!: string | null;
  /** The handset's label; null for callers who may not see it, and once the device is forgotten. */
  label!: string | null;
}

/** A page of a timeline, in the order in which things happened. */
export class TimelineDto {
  items!: TimelineLineDto[];
  /** Cursor of the next page; null on the last one. */
  next!: string | null;
  /** What the answer is as of; `as_of` takes it. */
  position!: string;
}
