import type { MigrationInterface, QueryRunner } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '#runtime/index.js';
import { type TestDatabase, testDatabase } from '../../../test/support/database.js';
import { migrate } from './migrate.js';
import { eventLogMigrations } from './nest/event-log.module.js';

class CreateNote1999000000000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query('create table ops.note (text text)');
  }
  async down(): Promise<void> {}
}
class FillNote1999000000001 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`insert into ops.note values ('half')`);
    await db.query('select * from ops.nowhere');
  }
  async down(): Promise<void> {}
}

describe('migrate', () => {
  let db: TestDatabase;
  const notes = () => db.owner.query<{ text: string }>('select text from ops.note');
  beforeAll(async () => {
    db = await testDatabase(eventLogMigrations);
  });
  afterAll(() => db.drop());

  it('runs each migration once when instances start together, and again changes nothing', async () => {
    const run = () => migrate(db.url('muster_owner'), [CreateNote1999000000000, ...eventLogMigrations], silentLog);
    await Promise.all([run(), run(), run()]);
    await run();
    expect(await notes()).toEqual([]);
  });

  it('leaves nothing of a migration that fails', async () => {
    await expect(migrate(db.url('muster_owner'), [FillNote1999000000001], silentLog)).rejects.toThrow('ops.nowhere');
    expect(await notes()).toEqual([]);
  });

  it('lets the actor use the rows of every room', async () => {
    const actor = db.database('muster_campaign');
    await actor.query(`insert into ops.note values ('kept')`);
    expect(await notes()).toEqual([{ text: 'kept' }]);
  });
});
