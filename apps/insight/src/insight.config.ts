import { IsNotEmpty, IsString, Matches } from 'class-validator';
import { DATABASE_URL, Env, PeoplePortConfig } from '#runtime/nest/runtime.module.js';

/** Settings of the read side as a service of its own. */
export class InsightConfig extends PeoplePortConfig {
  /** The Postgres that holds the log: a role that may create roles. `DATABASE_URL`; no default, so that no database is taken by accident. */
  @Env('DATABASE_URL')
  @Matches(DATABASE_URL, { message: 'databaseUrl must be postgres://user:password@host:port/database' })
  databaseUrl!: string;

  /** Folder whose `archive/` has old records of the log; shared with the services that write, read only here. `MUSTER_DATA`. */
  @Env('MUSTER_DATA')
  @IsString()
  @IsNotEmpty()
  data: string = '.muster';

  /** File of the key-encryption key, the same for all services of an installation. `MUSTER_KEK_FILE`. */
  @Env('MUSTER_KEK_FILE')
  @IsString()
  @IsNotEmpty()
  kekFile: string = '.muster/keys/kek';
}
