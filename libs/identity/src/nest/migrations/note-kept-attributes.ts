import type { MigrationInterface, QueryRunner } from 'typeorm';

/** So that a request knows whether there is anything kept of its device, and whether it has changed; the values are in the log, sealed. */
export class NoteKeptAttributes1767100000004 implements MigrationInterface {
  readonly name = 'NoteKeptAttributes1767100000004';

  async up(db: QueryRunner): Promise<void> {
    await db.query('alter table ops.device add column kept_version int not null default 0');
  }

  async down(): Promise<void> {
    throw new Error('forward only: restore a backup instead');
  }
}
