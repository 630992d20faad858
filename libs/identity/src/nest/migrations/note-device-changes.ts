import type { MigrationInterface, QueryRunner } from 'typeorm';
import { notesChanges } from '#event-log/index.js';

/** So that what is known of a device need not be read at every request. */
export class NoteDeviceChanges1767100000002 implements MigrationInterface {
  readonly name = 'NoteDeviceChanges1767100000002';

  async up(db: QueryRunner): Promise<void> {
    for (const table of ['ops.device', 'ops.device_key'])
      for (const statement of notesChanges(table)) await db.query(statement);
  }

  async down(): Promise<void> {
    throw new Error('forward only: restore a backup instead');
  }
}
