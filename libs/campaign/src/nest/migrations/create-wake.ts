import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ownTenant } from '#event-log/index.js';

/** Where the wakes of each channel go, and how many may go now. */
export class CreateWake1767200000014 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`create table ops.wake_target (
      tenant text not null,
      channel text not null,
      url text not null,
      per_minute int not null,
      credit double precision not null,
      counted_at timestamptz not null,
      primary key (tenant, channel))`);
    for (const statement of ownTenant('ops.wake_target')) await db.query(statement);
  }

  async down(): Promise<void> {
    throw new Error('forward only: restore a backup instead');
  }
}
