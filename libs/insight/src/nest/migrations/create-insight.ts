import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreateInsight1767300000000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    // Which tenant an analyst's login role sees. Read by the policies of the read models alone, on behalf of the
    // views' owner; no role that a client can be has a grant on it.
    await db.query(`create table ops.analyst (
      login name primary key,
      tenant text not null unique)`);
    await db.query('revoke all on ops.analyst from muster_campaign');
    await db.query('grant usage on schema ops to muster_analytics');
    await db.query('grant select on ops.analyst to muster_analytics');
    await db.query('alter table ops.analyst enable row level security, force row level security');
    await db.query('create policy owner on ops.analyst to muster_owner using (true) with check (true)');
    await db.query('create policy views on ops.analyst for select to muster_analytics using (true)');

    // What goes on after its 202 was answered. `seen_at` moves while it runs, so that one whose process died shows.
    await db.query(`create table ops.operation (
      tenant text not null, id text not null,
      kind text not null, object text not null, -- e.g. projection.rebuild of campaign_progress
      status text not null check (status in ('running', 'done', 'failed')),
      result jsonb, -- of a done one; of a failed one its code
      started_at timestamptz not null, seen_at timestamptz not null,
      primary key (tenant, id))`);
    await db.query('alter table ops.operation enable row level security, force row level security');
    await db.query(`create policy tenant on ops.operation to muster_campaign, muster_insight
      using (tenant = current_setting('muster.tenant', true))
      with check (tenant = current_setting('muster.tenant', true))`);
    await db.query('grant select on ops.operation to muster_insight');
  }
  async down(): Promise<void> {
    throw new Error('forward only: restore a backup instead');
  }
}
