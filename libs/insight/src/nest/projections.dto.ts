import { IsUUID, Matches } from 'class-validator';

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

/** Something that goes on after its 202. */
export class OperationDto {
  id!: string;
  kind!: 'projection.rebuild' | 'projection.verify';
  /** What it works on, e.g. the read model's name. */
  object!: string;
  /** `lost`: the process that ran it is gone; start it again. */
  status!: 'running' | 'done' | 'failed' | 'lost';
  /** Of a verification: whether it is equal, and the cells that differ. Of a failure: its code. */
  result!: object | null;
  /** RFC 3339. */
  startedAt!: string;
}
