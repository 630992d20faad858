import { IsBoolean, IsInt, IsNotEmpty, IsOptional, IsString, Matches, Max, Min } from 'class-validator';
import { DATABASE_URL, Env, PortsConfig } from '#runtime/nest/runtime.module.js';

/** Settings of the campaign service alone. Instances of one installation share database, key-encryption key and data folder. */
export class CampaignConfig extends PortsConfig {
  /** The Postgres that holds the log: a role that may create roles. `DATABASE_URL`; no default, so that no database is taken by accident. */
  @Env('DATABASE_URL')
  @Matches(DATABASE_URL, { message: 'databaseUrl must be postgres://user:password@host:port/database' })
  databaseUrl!: string;

  /** Folder of uploads, contents and archive files. `MUSTER_DATA`. */
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

  /**
   * Whether wakes and webhooks may go to private addresses and to this machine, there also by http: for who runs the server to say, as its
   * network trusts it more than the administrators of tenants. `MUSTER_PRIVATE_TARGETS`: true or false.
   */
  @Env('MUSTER_PRIVATE_TARGETS')
  @IsBoolean()
  privateTargets: boolean = false;
}
