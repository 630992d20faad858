import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Keys and secrets, wrapped by the key-encryption key that is never in the database. */
export class CreateKeyring1767000000001 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      create table ops.keyring (
        tenant text not null,
        purpose text not null,
        id text not null,
        wrapped bytea, -- AES-256-GCM: nonce, ciphertext, tag; null = forgotten, for ever
        primary key (tenant, purpose, id));
      alter table ops.keyring enable row level security;
      alter table ops.keyring force row level security;
      create policy tenant on ops.keyring using (tenant = current_setting('muster.tenant', true));`);
  }

  async down(): Promise<void> {
    throw new Error('forward only: restore a backup instead');
  }
}
