import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Ranges of a partition that are in files. Only who stands above all roles may move records there, as none may delete any. */
export class CreateArchive1767000000004 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      create table log.archive (
        topic text not null,
        part int not null,
        first_off bigint not null, -- the ranges of a partition abut, from 0 on
        next_off bigint not null,
        bytes bigint not null,
        sha256 bytea not null, -- of the whole file; its name follows from it
        blocks json not null, -- of each gzip member, in order: records, bytes, sha-256
        archived_at timestamptz(3) not null default clock_timestamp(),
        primary key (topic, part, first_off),
        check (next_off > first_off));
      grant select on log.archive to muster_campaign, muster_tail, muster_projector;`);
  }

  async down(): Promise<void> {
    throw new Error('forward only: restore a backup instead');
  }
}
