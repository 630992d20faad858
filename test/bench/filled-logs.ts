import { eventLogMigrations } from '#event-log/nest/event-log.module.js';
import { insightMigrations } from '#insight/nest/insight.module.js';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { type Run, runJob } from './child.js';

const ROLES = ['muster_campaign', 'muster_projector'] as const;

/** A database for each size of log, filled once; what is run on it makes its own tables anew. */
export class FilledLogs {
  private readonly databases = new Map<number, TestDatabase>();
  /** The most that any run of a kind held, by size. */
  private readonly peaks = new Map<string, Map<number, number>>();

  async fill(sizes: readonly number[]): Promise<void> {
    for (const events of sizes) {
      const database = await testDatabase([...eventLogMigrations, ...insightMigrations]);
      this.databases.set(events, database);
      await this.run(events, { kind: 'fill' });
    }
  }

  async run(events: number, job: { kind: string; [setting: string]: unknown }): Promise<Run> {
    const database = this.databases.get(events);
    if (database === undefined) throw new Error(`no log of ${events} events`);
    const urls = Object.fromEntries(ROLES.map((role) => [role, database.url(role)]));
    const run = await runJob('projection-jobs.mjs', { ...job, urls, events });
    const peaks = this.peaks.get(job.kind) ?? new Map<number, number>();
    this.peaks.set(job.kind, peaks.set(events, Math.max(peaks.get(events) ?? 0, run.peakBytes)));
    return run;
  }

  memory(kind: string): string[] {
    const peaks = [...(this.peaks.get(kind) ?? [])].map(([size, bytes]) => `${Math.round(bytes / 1e6)} MB at ${size}`);
    return [`peak memory of the process that did ${kind}: ${peaks.join(', ')}`];
  }

  async drop(): Promise<void> {
    for (const database of this.databases.values()) await database.drop();
  }
}
