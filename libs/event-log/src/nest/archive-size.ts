import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import type { Clock } from '#runtime/index.js';
import { CLOCK, countedGauge, registerStatus } from '#runtime/nest/runtime.module.js';
import { archivable, ARCHIVE_AFTER_DAYS } from '../archive.js';
import { ARCHIVED } from '../archive-reader.js';
import { Databases } from './databases.js';

/** What no caller can mend. */
registerStatus({ 'archive.missing': 500, 'archive.damaged': 500 });

const DAY_MS = 86_400_000;
/** Indexes included; one partition of the log's table has each topic. */
const SIZES = `
  select coalesce(sum(bytes), 0)::bigint as archived, count(*) as files,
    pg_total_relation_size('log.record_device') as kept,
    (select sum(next_off) from log.head where topic = $1)::bigint - coalesce(sum(next_off - first_off), 0)::bigint as records
  from log.archive where topic = $1`;

/** What is in files and what could be, as gauges for `/metrics`. */
@Injectable()
export class ArchiveSize implements OnModuleInit {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    const name = 'muster_log_archive_bytes';
    const help = `Bytes of ${ARCHIVED}: in archive files, in the table, and of the table what is older than ${ARCHIVE_AFTER_DAYS} days (by its share of the records).`;
    countedGauge({ name, help, labelNames: ['state'] }, async (set) => {
      const { tail } = this.databases;
      const [sizes] = await tail.query<{ archived: number; kept: number; records: number }>(SIZES, [ARCHIVED]);
      const before = new Date(this.clock.now() - ARCHIVE_AFTER_DAYS * DAY_MS).toISOString();
      const old = (await archivable(tail, before)).reduce((sum, { first, end }) => sum + end - first, 0);
      const { archived = 0, kept = 0, records = 0 } = sizes ?? {};
      set({ state: 'archived' }, archived);
      set({ state: 'kept' }, kept);
      set({ state: 'pending' }, records === 0 ? 0 : Math.round((kept * old) / records));
    });
  }
}
