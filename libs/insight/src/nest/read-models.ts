import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import {
  decodePosition,
  encodePosition,
  liveSchema,
  type Moment,
  notYet,
  parseAsOf,
  ProjectionRunner,
  reaches,
  type Tx,
} from '#event-log/index.js';
import { TailLog } from '#event-log/nest/event-log.module.js';
import { Turns } from '#runtime/index.js';
import { InsightError } from '../errors.js';
import { insightProjections } from '../views/projections.js';

/** About as long as a copy takes. */
const RETRY_SECONDS = 5;

/** A model trails by less, or by so much that an answer is due without it. */
const PATIENCE_MS = 2_000;
const LOOK_MS = 100;

/** Name of the data source with role `muster_insight`. */
export const INSIGHT = 'insight';

export interface ReadOptions {
  tenant: string;
  /** The past moment to read at; undefined: now. */
  asOf?: string;
  /** Aborts when nobody waits for the answer any more. */
  ended?: AbortSignal;
}

/** Reads a read model's tables, which the search path names; `position` is what the answer is as of. */
type Read<T> = (db: EntityManager, position: string) => Promise<T>;

/** Read access to the read models: one tenant's rows, live or as they were. */
@Injectable()
export class ReadModels {
  /** Copies of the past at a time: each reads the log from its beginning. */
  private readonly copies = new Turns(2, 8, () => {
    const about = { retryAfterSeconds: RETRY_SECONDS };
    return new InsightError('as-of.busy', about, 'too many ask for the past just now');
  });

  constructor(
    @InjectDataSource(INSIGHT) private readonly source: DataSource,
    @Inject(ProjectionRunner) private readonly runner: ProjectionRunner,
    @Inject(TailLog) private readonly log: TailLog,
  ) {}

  /**
   * What nobody knows is looked for once more when the model has caught up with what the log held by then: whoever has
   * just made a thing finds it.
   * @throws EventLogError `as-of.malformed`, `as-of.future`; InsightError `as-of.busy`
   */
  async read<T>(model: string, { tenant, asOf, ended }: ReadOptions, work: Read<T>): Promise<T> {
    if (asOf === undefined)
      return this.readIn(undefined, model, tenant, work).catch(async (error: unknown) => {
        if (!isUnknown(error) || !(await this.catchesUp(model, tenant))) throw error;
        return this.readIn(undefined, model, tenant, work);
      });
    const moment = await this.momentOf(asOf);
    return this.copies.take(async () => {
      const copy = await this.runner.buildAsOf(model, 'instant' in moment ? moment.instant : moment.position);
      try {
        return await this.readIn(copy.schema, model, tenant, work);
      } finally {
        await copy.drop();
      }
    }, ended);
  }

  /** A read-only transaction over one snapshot of the database that sees one tenant's rows. */
  inTenant<T>(tenant: string, work: (db: EntityManager) => Promise<T>): Promise<T> {
    return this.source.transaction('REPEATABLE READ', async (db) => {
      await enter(db, tenant);
      return work(db);
    });
  }

  /** @param past  schema of a copy; undefined: the live tables */
  private readIn<T>(past: string | undefined, model: string, tenant: string, work: Read<T>): Promise<T> {
    return this.source.transaction('REPEATABLE READ', async (db) => {
      // Before the snapshot is taken, so that a rebuild has either swapped before it or waits until this is read.
      if (past === undefined) await db.query('lock table proj.generation in access share mode');
      await enter(db, tenant);
      const schema = past ?? (await schemaOf(db, model));
      await db.query(`select set_config('search_path', $1, true)`, [schema]);
      const rows = await db.query<{ key: string; next: string }[]>(
        `select topic || '/' || part as key, next_off as next from checkpoint where projection = $1 and next_off > 0`,
        [model],
      );
      return work(db, encodePosition(Object.fromEntries(rows.map(({ key, next }) => [key, Number(next)]))));
    });
  }

  /** @returns false when it is not there within the patience of whoever waits */
  private async catchesUp(model: string, tenant: string): Promise<boolean> {
    const heads = await this.log.heads(projectionOf(model)?.topics);
    const isThere = () =>
      this.readIn(undefined, model, tenant, (_, position) => Promise.resolve(reaches(decodePosition(position), heads)));
    for (let waited = 0; waited < PATIENCE_MS; waited += LOOK_MS) {
      if (await isThere()) return true;
      await sleep(LOOK_MS);
    }
    return false;
  }

  private async momentOf(asOf: string): Promise<Moment> {
    const moment = parseAsOf(asOf, await this.log.now());
    if ('position' in moment && !reaches(await this.log.heads(), moment.position)) throw notYet();
    return moment;
  }
}

async function enter(db: EntityManager, tenant: string): Promise<void> {
  await db.query(`select set_config('transaction_read_only', 'on', true), set_config('muster.tenant', $1, true)`, [
    tenant,
  ]);
}

async function schemaOf(db: EntityManager, model: string): Promise<string> {
  const projection = projectionOf(model);
  const tx: Tx = { query: (sql, params = []) => db.query(sql, [...params]) };
  const schema = projection === undefined ? undefined : await liveSchema(tx, projection);
  if (schema === undefined) throw new Error(`${model} has no tables yet`);
  return schema;
}

const projectionOf = (model: string) => insightProjections.find(({ name }) => name === model);

const isUnknown = (error: unknown): boolean => error instanceof InsightError && error.code.endsWith('.unknown');
