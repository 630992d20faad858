import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What devices are searched and counted by. A label is compared as bytes: behind row-level security only comparisons that leak
 * nothing reach an index, which `like` is not.
 */
export class SearchDevices1767100000005 implements MigrationInterface {
  readonly name = 'SearchDevices1767100000005';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`alter table ops.device
      add column kind text not null default 'handset', -- or hawkbit
      add column label_key text collate "C" generated always as (lower(label)) stored -- personal, as the label; goes with it`);
    // The owner is held to the tenants' policies, too, and there is no tenant here.
    const tables = ['ops.device', 'ops.controller'];
    for (const table of tables) await db.query(`alter table ${table} no force row level security`);
    await db.query(`update ops.device d set kind = 'hawkbit' from ops.controller c
      where c.tenant = d.tenant and c.device_id = d.device_id`);
    for (const table of tables) await db.query(`alter table ${table} force row level security`);
    await db.query(
      'create index device_by_label on ops.device (tenant, label_key, device_id) where label_key is not null',
    );
    await db.query('create index device_by_facet on ops.device (tenant, channel, status, kind, device_no)');
  }

  async down(): Promise<void> {
    throw new Error('forward only: restore a backup instead');
  }
}
