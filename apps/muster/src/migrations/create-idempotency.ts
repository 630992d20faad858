import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreateIdempotency1767400000000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      create table ops.idempotency (
        tenant text not null,
        id text not null, -- sha-256 of caller, method, path and key, hex
        body_hash text not null,
        answer bytea, -- sealed; null while the first request runs
        claimed_at timestamptz not null,
        primary key (tenant, id)
      );
      create index idempotency_by_age on ops.idempotency (tenant, claimed_at);
      alter table ops.idempotency enable row level security;
      alter table ops.idempotency force row level security;
      create policy tenant on ops.idempotency
        using (tenant = current_setting('muster.tenant', true))
        with check (tenant = current_setting('muster.tenant', true));
      grant select, insert, update, delete on ops.idempotency to muster_campaign;`);
  }

  async down(): Promise<void> {
    throw new Error('forward only: restore a backup instead');
  }
}
