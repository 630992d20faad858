import { IsBoolean, IsString, IsUUID, Length, Matches, ValidateIf } from 'class-validator';
import { MayBeAbsent } from '#runtime/nest/runtime.module.js';

export class ProjectionNameParam {
  /** The read model, e.g. `campaign_progress`. */
  @Matches(/^[a-z][a-z0-9_]{0,39}$/)
  name!: string;
}

export class OperationIdParam {
  /** The operation's id. */
  @IsUUID()
  id!: string;
}

export class PartitionLagDto {
  topic!: string;
  partition!: number;
  /** Events that it has yet to apply. */
  events!: number;
  /** Age of the oldest of them, seconds. */
  seconds!: number;
}

export class ProjectionDto {
  name!: string;
  version!: number;
  /** `stopped`: a partition misses a record and waits for it; `rebuilding`: new tables are made beside the live ones; `behind`: it catches up. */
  state!: 'live' | 'behind' | 'rebuilding' | 'stopped';
  /** Events that it has yet to apply. */
  lagEvents!: number;
  /** Age of the oldest of them, seconds. */
  lagSeconds!: number;
  /** Streams put aside because an event of theirs could not be applied. */
  parked!: number;
  /** Partitions that lag; none when it is caught up. */
  partitions!: PartitionLagDto[];
}

export class ProjectionsDto {
  items!: ProjectionDto[];
}

/** A stream that waits for a repaired program or record. */
export class ParkedStreamDto {
  topic!: string;
  partition!: number;
  /** Tenant and subject: what `unpark` is asked for. */
  stream!: string;
  /** Where the record lies that failed first. */
  fromOffset!: number;
  /** How it failed: codes and names, no values. */
  error!: string;
  /** Events that wait, with the one that failed. */
  events!: number;
}

export class ProjectionDetailsDto extends ProjectionDto {
  /** Those of the caller's tenant; who runs the installation sees all. */
  parkedStreams!: ParkedStreamDto[];
}

/** No control characters, so that no log line or terminal can be broken by them. */
const PLAIN = /^\P{Cc}*$/u;
const plain = { message: 'no control characters' };

export class UnparkDto {
  /** As the read model names it: tenant and subject. */
  @IsString()
  @Length(1, 300)
  @Matches(PLAIN, plain)
  stream!: string;

  /** Does without the events that cannot be applied, now and in every rebuild. Cannot be taken back. */
  @MayBeAbsent()
  @IsBoolean()
  discard?: boolean;

  /** Why, for the record. Needed to discard. */
  @ValidateIf(({ discard, reason }: UnparkDto) => discard === true || reason !== undefined)
  @IsString()
  @Length(1, 200)
  @Matches(PLAIN, plain)
  reason?: string;
}

export class PassedOverDto {
  topic!: string;
  partition!: number;
  offset!: number;
  /** How it failed: codes and names, no values. */
  error!: string;
}

export class UnparkedDto {
  name!: string;
  stream!: string;
  /** Events that were applied. */
  applied!: number;
  /** Events that the read model does without from now on. */
  passedOver!: PassedOverDto[];
}

/** How far an operation is. */
export class OperationProgressDto {
  /** Events of the log that are done, of those there are. */
  done!: number;
  total!: number;
  percent!: number;
  perSecond!: number;
  /** At this rate; null while nothing is done. */
  etaSeconds!: number | null;
}

/** Something that goes on after its 202. */
export class OperationDto {
  id!: string;
  kind!: 'projection.rebuild' | 'projection.verify';
  /** What it works on, e.g. the read model's name. */
  object!: string;
  /** `lost`: the process that ran it is gone; start it again. */
  status!: 'running' | 'done' | 'failed' | 'cancelled' | 'lost';
  /** Of a verification: whether it is equal, and the cells that differ. Of a failure: its code. */
  result!: object | null;
  /** Of one that is running; null until something is known of it. */
  progress!: OperationProgressDto | null;
  /** RFC 3339. */
  startedAt!: string;
}

export class OperationsPage {
  items!: OperationDto[];
  /** Cursor of the next page; null on the last one. */
  next!: string | null;
}
