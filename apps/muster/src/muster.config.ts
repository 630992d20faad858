import path from 'node:path';
import { IsBoolean, IsInt, IsNotEmpty, IsOptional, IsString, Matches, Max, Min } from 'class-validator';
import { DATABASE_URL, Env, PortsConfig } from '#runtime/nest/runtime.module.js';

/** Settings of `npm start`. Every one has a default that works on a laptop. */
export class MusterConfig extends PortsConfig {
  /** Folder of everything that is kept: database, contents, keys. `MUSTER_DATA`. */
  @Env('MUSTER_DATA')
  @IsString()
  @IsNotEmpty()
  data: string = '.muster';

  /** A Postgres to use instead of the embedded one: a role that may create roles and databases. `DATABASE_URL`; no default. */
  @Env('DATABASE_URL')
  @IsOptional()
  @Matches(DATABASE_URL, { message: 'databaseUrl must be postgres://user:password@host:port/database' })
  databaseUrl?: string;

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

/** Paths and hosts that follow from the settings. */
export function derived(config: MusterConfig): { data: string; kekFile: string; hosts: string[]; isLoopback: boolean } {
  const data = path.resolve(config.data);
  return {
    data,
    kekFile: path.resolve(config.kekFile ?? path.join(data, 'keys', 'kek')),
    hosts: [...new Set([...config.hosts, ...LOOPBACK, ...(WILDCARD.has(config.host) ? [] : [config.host])])],
    isLoopback: LOOPBACK.includes(config.host) || /^127(\.\d{1,3}){3}$/.test(config.host),
  };
}

const LOOPBACK = ['localhost', '127.0.0.1', '::1'];
const WILDCARD = new Set(['0.0.0.0', '::']);
