import { DataSource, type MigrationInterface } from 'typeorm';
import type { Log } from '#runtime/index.js';

export type Migration = new () => MigrationInterface;

/**
 * Runs what is missing, in the order of the timestamps in the class names, each in its own transaction. Instances that
 * start together wait for each other.
 * @param ownerUrl  role `muster_owner`
 */
export async function migrate(ownerUrl: string, migrations: readonly Migration[], log: Log): Promise<void> {
  const source = new DataSource({
    type: 'postgres',
    url: ownerUrl,
    schema: 'ops',
    migrations: [...migrations],
    migrationsTableName: 'migration',
    migrationsTransactionMode: 'each',
    synchronize: false,
    poolSize: 2,
  });
  await source.initialize();
  const lock = source.createQueryRunner();
  try {
    await lock.query(`select set_config('lock_timeout', '0', false), pg_advisory_lock(hashtext('muster.migrate'))`);
    for (const { name } of await source.runMigrations()) log.info('migration.done', { name });
  } finally {
    await lock.release();
    await source.destroy();
  }
}
