import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ownTenant } from '#event-log/index.js';

/** hawkBit clients: which device a controller id names, and gateway tokens among the codes. */
export class NameControllers1767100000003 implements MigrationInterface {
  readonly name = 'NameControllers1767100000003';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`alter table ops.enrolment_code add column kind text not null default 'handset'`); // or gateway: never used up
    await db.query(`create table ops.controller (
      tenant text not null,
      controller_hash bytea not null,   -- by a key that follows from the key-encryption key: the id itself may be personal
      device_id uuid not null,
      primary key (tenant, controller_hash),
      foreign key (tenant, device_id) references ops.device)`);
    for (const statement of ownTenant('ops.controller')) await db.query(statement);
  }

  async down(): Promise<void> {
    throw new Error('forward only: restore a backup instead');
  }
}
