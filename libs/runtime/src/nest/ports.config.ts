import { IsArray, IsInt, IsNotEmpty, IsString, Matches, Max, Min } from 'class-validator';
import { Env } from '../config.js';
import { LogConfig } from './log.config.js';

/** Who keeps the log of a service that people talk to, and where it listens. */
export class PeoplePortConfig extends LogConfig {
  /** Address of all ports. `MUSTER_HOST`; anything but a loopback address makes the people's port TLS. */
  @Env('MUSTER_HOST')
  @IsString()
  @IsNotEmpty()
  host: string = '127.0.0.1';

  /** Port for people and programs: API, health. `MUSTER_PORT`; 0 = a free one. */
  @Env('MUSTER_PORT')
  @IsInt()
  @Min(0)
  @Max(65_535)
  port: number = 8080;

  /** Names and addresses in the server's certificates, by comma. `MUSTER_HOSTS`; loopback and `MUSTER_HOST` are always in. */
  @Env('MUSTER_HOSTS')
  @IsArray()
  @Matches(/^[A-Za-z0-9.:-]{1,253}$/, { each: true })
  hosts: string[] = [];
}

/** Where a service that handsets talk to, too, listens, and when it has too little room for what they and people send. */
export class PortsConfig extends PeoplePortConfig {
  /** Port for handsets, mutual TLS. `MUSTER_HANDSET_PORT`; 0 = a free one. */
  @Env('MUSTER_HANDSET_PORT')
  @IsInt()
  @Min(0)
  @Max(65_535)
  handsetPort: number = 8443;

  /**
   * Polls and enrolments a second that are never sent away, not even when handsets come in a surge after the server stood
   * still. `MUSTER_HANDSET_LEAST_PER_SECOND`.
   */
  @Env('MUSTER_HANDSET_LEAST_PER_SECOND')
  @IsInt()
  @Min(1)
  @Max(100_000)
  handsetLeastPerSecond: number = 50;

  /** Bytes: a disk of contents, or of the embedded database, with less room makes the process not ready. `MUSTER_DISK_LOW_BYTES`. */
  @Env('MUSTER_DISK_LOW_BYTES')
  @IsInt()
  @Min(16_777_216)
  diskLowBytes: number = 268_435_456;
}

/** A given Postgres, as `DATABASE_URL` names it. */
export const DATABASE_URL = /^postgres(ql)?:\/\/[^/\s]+/;
