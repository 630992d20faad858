import { Transform, Type } from 'class-transformer';
import { IsIn, IsInt, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import { TOPICS, type Topic } from '#event-log/index.js';

/** `?type=A,B`: a list in one parameter. */
const List = (): PropertyDecorator =>
  Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? value.split(',') : value));

export class EventsQuery {
  /** Where to start: `start`, `end`, or the `position` of an answer. */
  @IsOptional()
  @IsString()
  @MaxLength(4_096)
  from: string = 'start';

  /** How many events at most, 1 to 200. */
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(200)
  limit: number = 50;

  /** Topics, comma-separated; all by default. */
  @IsOptional()
  @List()
  @IsIn(TOPICS, { each: true })
  topic?: Topic[];

  /** Names of events, comma-separated, e.g. `CampaignStarted,CampaignPaused`. */
  @IsOptional()
  @List()
  @IsString({ each: true })
  @MaxLength(100, { each: true })
  type?: string[];

  /** The aggregate or device that the events are about. */
  @IsOptional()
  @IsString()
  @MaxLength(200)
  subject?: string;
}

export class LiveQuery {
  /** Topics, comma-separated; by default all that the caller may see. */
  @IsOptional()
  @List()
  @IsIn(TOPICS, { each: true })
  topic?: Topic[];
}

export class EventDto {
  /** Where it stands in the log: topic/partition/offset. */
  seq!: string;
  id!: string;
  topic!: string;
  /** Its CloudEvents type, e.g. `muster.campaign.campaign-started.v1`. */
  type!: string;
  /** Its name, e.g. `CampaignStarted`. */
  name!: string;
  subject!: string;
  actor!: string;
  commandId!: string;
  correlationId!: string;
  /** RFC 3339. */
  occurredAt!: string;
  /** RFC 3339. */
  receivedAt!: string;
  /** Personal fields are null for callers who may not see them, and once their subject is forgotten. */
  data!: object;
}

/** A page of events, oldest first; each partition in its own order. */
export class EventsDto {
  items!: EventDto[];
  /** Where the next page starts; at the end of the log the same call later brings what is new. */
  position!: string;
  /** True: there was nothing after it. */
  isAtEnd!: boolean;
}
