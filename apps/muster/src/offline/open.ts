import { existsSync } from 'node:fs';
import {
  attachEmbeddedPostgres,
  Database,
  KafkajsClient,
  KafkaSide,
  loadKek,
  type LoginRole,
  requireKeeper,
} from '#event-log/index.js';
import { DomainError, type Log, systemClock } from '#runtime/index.js';
import { loadConfig } from '#runtime/nest/runtime.module.js';
import { brokersFor } from '../brokers-file.js';
import { archiveFolder, holderOf, takeDataFolder } from '../data-folder.js';
import { derived, MusterConfig } from '../muster.config.js';
import { DATABASE, given, openStore } from '../store.js';
import { migrations } from '../rooms.js';

/** The installation cannot be worked on directly. */
export class OfflineError extends DomainError<
  'data.unknown' | 'kek.missing' | 'database.behind' | 'database.ahead' | 'database.row-security'
> {}

/** An installation's database and files, for commands that do not speak to its server; which may run meanwhile. */
export interface Installation {
  data: string;
  /** Where old records of the log are. */
  archive: string;
  kek: Uint8Array;
  kekFile: string;
  /** Under no row-level security: sees all tenants' rows at once. */
  superuser: Database;
  url(role: LoginRole): string;
  /** Kafka, where it carries the log. */
  kafka: KafkaSide | undefined;
  /** Names of the migrations that were done, in order. */
  migrated: readonly string[];
  close(): Promise<void>;
}

/**
 * Postgres of `DATABASE_URL`, or the embedded one of `MUSTER_DATA`, started when no server of ours has it running; and Kafka
 * of `KAFKA_BROKERS` where `MUSTER_LOG` is `kafka`.
 * @throws EventLogError `log.kept-on-kafka`, KafkaError `kafka.device-in-postgres`: half of a log is never taken for all of it
 */
export async function openInstallation(env: NodeJS.ProcessEnv, log: Log): Promise<Installation> {
  const config = loadConfig(MusterConfig, env);
  const { data, kekFile } = derived(config);
  if (!existsSync(data)) throw new OfflineError('data.unknown', { data }, `${data} is not there: set MUSTER_DATA`);
  if (!existsSync(kekFile))
    throw new OfflineError('kek.missing', { kekFile }, `the key-encryption key ${kekFile} is not there`);
  const kek = loadKek(kekFile);
  const { superuserUrl, url, stop } = await reach(data, config.databaseUrl, kek, log);
  const superuser = new Database(superuserUrl, { max: 4, applicationName: 'muster offline', log });
  let kafka: KafkaSide | undefined;
  const close = async () => {
    await kafka?.close();
    await superuser.end();
    await stop();
  };
  try {
    await requireAllRows(superuser);
    const brokers = brokersFor(config, env, data);
    await requireKeeper(superuser, brokers === undefined ? 'postgres' : 'kafka');
    if (brokers !== undefined)
      kafka = await KafkaSide.attach(new KafkajsClient({ brokers, log }), { clock: systemClock, log });
    const done = await superuser.query<{ name: string }>('select name from ops.migration order by timestamp');
    return {
      data,
      archive: archiveFolder(data),
      kek,
      kekFile,
      superuser,
      url,
      kafka,
      migrated: done.map(({ name }) => name),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** @throws OfflineError `database.behind`, `database.ahead` */
export function requireCurrent({ migrated }: Pick<Installation, 'migrated'>): void {
  const known = migrationNames();
  const missing = known.filter((name) => !migrated.includes(name));
  if (missing.length > 0)
    throw new OfflineError(
      'database.behind',
      { missing },
      'the database is of an older release: start the server once',
    );
  requireKnown(migrated);
}

/** @throws OfflineError `database.ahead` */
export function requireKnown(migrated: readonly string[]): void {
  const known = migrationNames();
  const unknown = migrated.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new OfflineError('database.ahead', { unknown }, 'the database is of a newer release than this program');
}

const migrationNames = (): string[] => migrations.map((Each) => new Each().name ?? Each.name);

type Reached = { superuserUrl: string; url: (role: LoginRole) => string; stop: () => Promise<void> };

async function reach(data: string, databaseUrl: string | undefined, kek: Uint8Array, log: Log): Promise<Reached> {
  if (databaseUrl !== undefined) {
    const store = given(databaseUrl, kek);
    return { superuserUrl: databaseUrl, url: (role) => store.url(role), stop: () => store.stop() };
  }
  const running = holderOf(data) === undefined ? undefined : attachEmbeddedPostgres(data);
  if (running !== undefined) {
    const url = (role: LoginRole) => running.url(role, DATABASE);
    return { superuserUrl: running.superuserUrl(DATABASE), url, stop: async () => undefined };
  }
  const giveBack = takeDataFolder(data);
  try {
    const store = await openStore({ data, databaseUrl, kek, log });
    const superuserUrl = new URL(store.superuserUrl);
    superuserUrl.pathname = `/${DATABASE}`;
    const stop = async () => {
      await store.stop();
      giveBack();
    };
    return { superuserUrl: superuserUrl.href, url: (role) => store.url(role), stop };
  } catch (error) {
    giveBack();
    throw error;
  }
}

async function requireAllRows(database: Database): Promise<void> {
  const [role] = await database.query<{ all: boolean }>(
    'select rolsuper or rolbypassrls as all from pg_roles where rolname = current_user',
  );
  if (role?.all !== true)
    throw new OfflineError('database.row-security', {}, 'DATABASE_URL must name a role that sees every row');
}
