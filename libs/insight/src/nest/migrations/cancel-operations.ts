import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CancelOperations1767300000001 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query('alter table ops.operation drop constraint operation_status_check');
    await db.query(
      `alter table ops.operation add constraint operation_status_check
       check (status in ('running', 'done', 'failed', 'cancelled'))`,
    );
  }
  async down(): Promise<void> {
    throw new Error('forward only: restore a backup instead');
  }
}
