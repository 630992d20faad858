import { IsArray, IsInt, IsNotEmpty, IsOptional, IsString, Matches, Max, Min } from 'class-validator';
import { Env } from '#runtime/nest/runtime.module.js';

/** Settings of the campaign service alone. Instances of one installation share database, key-encryption key and data folder. */
export class CampaignConfig {
  /** The Postgres that holds the log: a role that may create roles. `DATABASE_URL`; no default, so that no database is taken by accident. */
  @Env('DATABASE_URL')
  @Matches(/^postgres(ql)?:\/\/[^/\s]+/, { message: 'databaseUrl must be postgres://user:password@host:port/database' })
  databaseUrl!: string;

  /** Address of both ports. `MUSTER_HOST`; anything but a loopback address makes the people's port TLS. */
  @Env('MUSTER_HOST')
  @IsString()
  @IsNotEmpty()
  host: string = '127.0.0.1';

  /** Port for people and programs. `MUSTER_PORT`; 0 = a free one. */
  @Env('MUSTER_PORT')
  @IsInt()
  @Min(0)
  @Max(65_535)
  port: number = 8080;

  /** Port for handsets, mutual TLS. `MUSTER_HANDSET_PORT`; 0 = a free one. */
  @Env('MUSTER_HANDSET_PORT')
  @IsInt()
  @Min(0)
  @Max(65_535)
  handsetPort: number = 8443;

  /** Names and addresses in the server's certificates, by comma. `MUSTER_HOSTS`; loopback and `MUSTER_HOST` are always in. */
  @Env('MUSTER_HOSTS')
  @IsArray()
  @Matches(/^[A-Za-z0-9.:-]{1,253}$/, { each: true })
  hosts: string[] = [];

  /** Folder of uploads and contents. `MUSTER_DATA`. */
  @Env('MUSTER_DATA')
  @IsString()
  @IsNotEmpty()
  data: string = '.muster';

  /** File of the key-encryption key, made at the first start, 0600. `MUSTER_KEK_FILE`; `keys/kek` in the data folder. */
  @Env('MUSTER_KEK_FILE')
  @IsOptional()
  @IsString()
  kekFile?: string;

  /** Seconds until a handset should ask again, unless a rule of its own fires before. `MUSTER_POLL_INTERVAL_SECONDS`. */
  @Env('MUSTER_POLL_INTERVAL_SECONDS')
  @IsInt()
  @Min(10)
  @Max(86_400)
  pollIntervalSeconds: number = 21_600;
}
