import { ArrayNotEmpty, IsArray, IsIn, IsInt, Matches, Max, Min, ValidateIf } from 'class-validator';
import { Env } from '../config.js';

/** Who keeps the event log: the same for all services of an installation. */
export class LogConfig {
  /** `MUSTER_LOG`: `postgres`, or `kafka` for Postgres and Kafka together. An installation keeps what it began with. */
  @Env('MUSTER_LOG')
  @IsIn(['postgres', 'kafka'])
  log: string = 'postgres';

  /** Kafka, as `host:port` by comma. `KAFKA_BROKERS`; needed when the log is `kafka`, otherwise ignored. */
  @Env('KAFKA_BROKERS')
  @ValidateIf(({ log }: LogConfig) => log === 'kafka')
  @IsArray()
  @ArrayNotEmpty({ message: 'kafkaBrokers must name at least one host:port' })
  @Matches(/^[A-Za-z0-9.[\]:-]{1,253}:\d{1,5}$/, { each: true, message: 'kafkaBrokers must be host:port, by comma' })
  kafkaBrokers: string[] = [];

  /**
   * How long a start waits for a Postgres or brokers that it was given and that are not there yet, seconds. Its ports
   * are closed meanwhile. `MUSTER_START_PATIENCE_SECONDS`.
   */
  @Env('MUSTER_START_PATIENCE_SECONDS')
  @IsInt()
  @Min(0)
  @Max(3_600)
  startPatienceSeconds: number = 60;
}

/** Brokers, if the log is kept by any. */
export const brokersOf = ({ log, kafkaBrokers }: LogConfig): readonly string[] | undefined =>
  log === 'kafka' ? kafkaBrokers : undefined;
