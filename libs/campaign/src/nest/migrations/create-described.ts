import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ownTenant } from '#event-log/index.js';

/** Server-side matching: what was recorded last of each device that told what it is. */
export class CreateDescribed1767200000002 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`create table ops.described (
      tenant text not null,
      device_id uuid not null,
      fingerprint bytea not null,        -- of what was told, by a key that follows from the key-encryption key: the values are in the log, sealed
      gates jsonb not null,              -- by '<campaign> <content>': what held back what fits
      primary key (tenant, device_id)) with (fillfactor = 85)`);
    for (const statement of ownTenant('ops.described')) await db.query(statement);
  }

  async down(): Promise<void> {
    throw new Error('forward only: restore a backup instead');
  }
}
