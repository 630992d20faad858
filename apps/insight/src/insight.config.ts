import { IsArray, IsInt, IsNotEmpty, IsString, Matches, Max, Min } from 'class-validator';
import { Env } from '#runtime/nest/runtime.module.js';

/** Settings of the read side as a service of its own. */
export class InsightConfig {
  /** The Postgres that holds the log: a role that may create roles. `DATABASE_URL`; no default, so that no database is taken by accident. */
  @Env('DATABASE_URL')
  @Matches(/^postgres(ql)?:\/\/[^/\s]+/, { message: 'databaseUrl must be postgres://user:password@host:port/database' })
  databaseUrl!: string;

  /** File of the key-encryption key, the same for all services of an installation. `MUSTER_KEK_FILE`. */
  @Env('MUSTER_KEK_FILE')
  @IsString()
  @IsNotEmpty()
  kekFile: string = '.muster/keys/kek';

  /** Address to listen at. `MUSTER_HOST`; anything but a loopback address is served with TLS. */
  @Env('MUSTER_HOST')
  @IsString()
  @IsNotEmpty()
  host: string = '127.0.0.1';

  /** Port. `MUSTER_PORT`; 0 = a free one. */
  @Env('MUSTER_PORT')
  @IsInt()
  @Min(0)
  @Max(65_535)
  port: number = 8080;

  /** Names and addresses in the server's certificate, by comma. `MUSTER_HOSTS`. */
  @Env('MUSTER_HOSTS')
  @IsArray()
  @Matches(/^[A-Za-z0-9.:-]{1,253}$/, { each: true })
  hosts: string[] = [];
}
