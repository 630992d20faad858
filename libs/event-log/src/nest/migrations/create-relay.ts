import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How far each partition has been acknowledged by Kafka; empty where the log is Postgres alone. */
export class CreateRelay1767000000002 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      create table log.relay (
        topic text not null,
        part int not null,
        next_off bigint not null,
        primary key (topic, part)) with (fillfactor = 20);
      grant select, insert, update on log.relay to muster_tail;
      grant select on log.relay to muster_campaign, muster_projector;`);
  }

  async down(): Promise<void> {
    throw new Error('forward only: restore a backup instead');
  }
}
