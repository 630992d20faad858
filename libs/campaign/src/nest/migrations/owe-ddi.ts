import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What an action of a hawkBit client owes to the record is written with it, and which of its bytes were sent in whatever order. */
export class OweDdi1767200000015 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`alter table ops.ddi_action
      add column owed jsonb,                -- facts that are not on the record yet, in order; null: none
      add column owed_until timestamptz,    -- so long they are somebody's to record
      add column served int8multirange not null default '{}'`);
    await db.query(
      `update ops.ddi_action set served = int8multirange(int8range(0, served_bytes)) where served_bytes > 0`,
    );
    await db.query('alter table ops.ddi_action drop column served_bytes');
    await db.query('create index ddi_action_owing on ops.ddi_action (tenant) where owed is not null');
  }

  async down(): Promise<void> {
    throw new Error('forward only: restore a backup instead');
  }
}
