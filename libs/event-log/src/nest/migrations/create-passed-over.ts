import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Records that a person has decided a read model is to do without. Never changed: a rebuild must come to the same rows. */
export class CreatePassedOver1767000000003 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      create table ops.passed_over (
        projection text not null,
        version int not null, -- another version of the read model tries them anew
        topic text not null,
        part int not null,
        off bigint not null,
        tenant text not null, -- of who decided
        stream text not null,
        error text not null,
        reason text not null,
        decided_at timestamptz(3) not null,
        primary key (projection, version, topic, part, off));
      alter table ops.passed_over enable row level security;
      alter table ops.passed_over force row level security;
      create policy tenant on ops.passed_over using (tenant = current_setting('muster.tenant', true));
      create policy every_tenant on ops.passed_over for select to muster_projector using (true);
      revoke update, delete on ops.passed_over from muster_campaign;
      grant select on ops.passed_over to muster_projector;`);
  }

  async down(): Promise<void> {
    throw new Error('forward only: restore a backup instead');
  }
}
