import type { MigrationInterface, QueryRunner } from 'typeorm';
import { notesChanges } from '#event-log/index.js';

/** So that a poll need not read the device's inbox. */
export class NoteInboxChanges1767200000001 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    for (const statement of notesChanges('ops.inbox_item')) await db.query(statement);
  }

  async down(): Promise<void> {
    throw new Error('forward only: restore a backup instead');
  }
}
