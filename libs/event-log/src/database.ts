import { finished } from 'node:stream/promises';
import pg from 'pg';
import { from } from 'pg-copy-streams';
import { currentTrial, type Log, silentLog } from '#runtime/index.js';
import { EventLogError } from './event-log.js';
import { type TrialConnection, TrialSession } from './trial-session.js';

/** Instants as text: RFC 3339 in UTC with milliseconds, which costs a fourth of a Date and what is made of it. */
export interface Reading {
  instants: 'text';
}

/** SQL inside a transaction. `bigint` comes as a number, `timestamptz` as a Date, unless as text, `json` parsed. */
export interface Tx {
  query<R extends object>(sql: string, params?: readonly unknown[], reading?: Reading): Promise<R[]>;
}

export interface Session extends Tx {
  release(): void;
}

const INT8: number = pg.types.builtins.INT8;
const TIMESTAMPTZ: number = pg.types.builtins.TIMESTAMPTZ;
const parseInstant = pg.types.getTypeParser(TIMESTAMPTZ) as (text: string) => Date | number | null;

/** `2026-11-24 09:00:00.123+00`, as servers in UTC write it, in the form that the engine reads fastest; all others as the driver does. */
function instantOf(text: string): Date | number | null {
  if (!text.endsWith('+00') || text.charAt(4) !== '-') return parseInstant(text);
  return new Date(`${text.slice(0, 10)}T${text.slice(11, -3)}Z`);
}

const SECOND = '2026-11-24 09:00:00'.length;
const FRACTIONS: Readonly<Record<number, string>> = { 0: '.000', 2: '00', 3: '0', 4: '' };

/** The same as text, cut and padded, as `Date` writes it. Postgres leaves zeros out behind the point, and the point. */
export function instantTextOf(text: string): string {
  const padding = FRACTIONS[text.length - SECOND - 3];
  if (padding !== undefined && text.endsWith('+00') && text.charAt(4) === '-')
    return `${text.slice(0, 10)}T${text.slice(11, -3)}${padding}Z`;
  const instant = parseInstant(text);
  return instant instanceof Date ? instant.toISOString() : String(instant); // infinity
}

/** Our counters stay far below 2^53, so `bigint` is a number everywhere. */
const typesWith = (parse: (text: string) => unknown): pg.CustomTypesConfig => ({
  getTypeParser: (oid, format) => {
    if (Number(oid) === INT8) return Number;
    if (Number(oid) === TIMESTAMPTZ && format !== 'binary') return parse;
    return pg.types.getTypeParser(oid, format) as unknown;
  },
});
const types = typesWith(instantOf);
const textTypes = typesWith(instantTextOf);

const asked = (text: string, values: readonly unknown[], reading?: Reading): pg.QueryConfig => ({
  text,
  values: [...values],
  types: reading === undefined ? types : textTypes,
});

const commitHooks = new WeakMap<Tx, (() => void)[]>();
const copies = new WeakMap<Tx, (sql: string, text: string) => Promise<void>>();

/**
 * Runs a COPY … FROM STDIN of `tx` with this text.
 * @throws EventLogError `log.unavailable`, as `query` does
 */
export async function copyIn(tx: Tx, sql: string, text: string): Promise<void> {
  const copy = copies.get(tx);
  if (copy === undefined) throw new Error('not a running transaction');
  await copy(sql, text);
}

/** Runs `work` once `tx` is committed; never when it rolls back. */
export function afterCommit(tx: Tx, work: () => void): void {
  const hooks = commitHooks.get(tx);
  if (hooks === undefined) throw new Error('not a running transaction');
  hooks.push(work);
}

/** From here to its end `tx` sees and writes this tenant's rows. Nothing else sets `muster.tenant`, but how `inTenant` begins. */
export async function enterTenant(tx: Tx, tenant: string): Promise<void> {
  await tx.query(`select set_config('muster.tenant', $1, true)`, [tenant]);
}

/** Both in one message, since each round trip is a good part of what a small append costs; such a message has no parameters. */
function beginIn(tenant: string): string {
  if (tenant.includes('\0')) throw new Error('a tenant without U+0000');
  return `begin; select set_config('muster.tenant', ${pg.escapeLiteral(tenant)}, true)`;
}

/** After so long without a word the kernel asks whether the server's host is still there: one that went silently would keep connections for hours. */
const SILENT_MS = 30_000;

/**
 * A pool of connections of one role. A single `query` on it is a transaction of its own, without a tenant. In a trial
 * (`asTrial`) its transactions are rolled back with the trial; a single `query` is in earnest, and only reads.
 */
export class Database implements Tx {
  private readonly pool: pg.Pool;
  private fullAt: number | undefined;

  /** @param options.waitMs how long to wait for a connection: a full pool, or a server that is stuck, must not hang requests */
  constructor(url: string, options: { max?: number; waitMs?: number; applicationName?: string; log?: Log } = {}) {
    const { max = 10, waitMs = 30_000, applicationName = 'muster', log = silentLog } = options;
    const limits = { max, connectionTimeoutMillis: waitMs, keepAlive: true, keepAliveInitialDelayMillis: SILENT_MS };
    this.pool = new pg.Pool({ connectionString: url, ...limits, application_name: applicationName, types });
    this.pool.on('error', (err) => {
      // `end` does not wait until the server has heard of it, so a server that stops next may still cut us off.
      if (!this.pool.ending) log.warn('database.connection-lost', { applicationName, err });
    });
  }

  /** @throws EventLogError `log.unavailable` when the database is away: here, and by every query of a transaction */
  async query<R extends object>(sql: string, params: readonly unknown[] = [], reading?: Reading): Promise<R[]> {
    return (await this.reached(this.pool.query<R>(asked(sql, params, reading)))).rows;
  }

  /** A transaction that sees and writes one tenant's rows. */
  async inTenant<T>(tenant: string, work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.begun(tenant, work);
  }

  /** READ COMMITTED. Commits when `work` resolves, rolls back when it rejects. */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.begun(undefined, work);
  }

  private queryOn(client: pg.PoolClient): Tx['query'] {
    return async <R extends object>(sql: string, params: readonly unknown[] = [], reading?: Reading) =>
      (await this.reached(client.query<R>(asked(sql, params, reading)))).rows;
  }

  private begun<T>(tenant: string | undefined, work: (tx: Tx) => Promise<T>): Promise<T> {
    const trial = currentTrial();
    if (trial === undefined) return this.committed(tenant, work);
    if (trial.isOver) throw new Error('a transaction of a trial that is over');
    return trial.part(this, () => new TrialSession(() => this.onTrial())).run(tenant, work);
  }

  private async onTrial(): Promise<TrialConnection<Tx>> {
    const client = await this.reached(this.pool.connect());
    let broken: Error | undefined;
    const remember = (error: Error) => (broken = error);
    client.on('error', remember);
    const giveBack = async (): Promise<void> => {
      await client.query('rollback').catch(remember);
      client.removeListener('error', remember);
      client.release(broken);
    };
    try {
      await this.reached(client.query('begin'));
    } catch (error) {
      await giveBack();
      throw error;
    }
    return { tx: this.txOn(client), giveBack };
  }

  /** Hooks of it are run by whoever commits. */
  private txOn(client: pg.PoolClient): Tx {
    const tx: Tx = { query: this.queryOn(client) };
    commitHooks.set(tx, []);
    copies.set(tx, (sql, text) => this.reached(copied(client, sql, text)));
    return tx;
  }

  private async committed<T>(tenant: string | undefined, work: (tx: Tx) => Promise<T>): Promise<T> {
    const client = await this.reached(this.pool.connect());
    let broken: Error | undefined;
    const remember = (error: Error) => (broken = error);
    client.on('error', remember);
    try {
      await this.reached(client.query(tenant === undefined ? 'begin' : beginIn(tenant)));
      const tx = this.txOn(client);
      const result = await work(tx);
      const { command } = await this.reached(client.query('commit'));
      // Postgres answers ROLLBACK, not an error, when a statement failed and `work` went on.
      if (command !== 'COMMIT') throw new Error('the transaction was rolled back: one of its statements had failed');
      for (const hook of commitHooks.get(tx) ?? []) hook();
      return result;
    } catch (error) {
      await client.query('rollback').catch(remember);
      throw error;
    } finally {
      client.removeListener('error', remember);
      client.release(broken); // a broken connection does not go back to the pool
    }
  }

  /** A connection of its own, for what a session holds, such as an advisory lock. `release` ends it, and so does a crash. */
  async session(): Promise<Session> {
    const client = await this.reached(this.pool.connect());
    client.on('error', () => undefined); // whoever asks it something hears of it
    return {
      query: this.queryOn(client),
      release: () => client.release(true),
    };
  }

  end(): Promise<void> {
    return this.pool.end();
  }

  /** Whether the server had no room for something within the last milliseconds: nobody can tell but by writing. */
  wasFull(withinMs: number): boolean {
    return this.fullAt !== undefined && performance.now() - this.fullAt < withinMs;
  }

  private async reached<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      const { code = '', message = '' } = error as { code?: string; message?: string };
      if (code === DISK_FULL) this.fullAt = performance.now();
      const isAway = AWAY_CODE.test(code) || AWAY_MESSAGE.test(message);
      throw isAway ? new EventLogError('log.unavailable', { cause: message || code }) : error;
    }
  }
}

async function copied(client: pg.PoolClient, sql: string, text: string): Promise<void> {
  const copy = client.query(from(sql));
  copy.end(text);
  await finished(copy);
}

/**
 * Connection lost, refused, shut down or not to be had (SQLSTATE classes 08 and 57P, or an error of socket or pool); no room
 * (53); a lock or an answer that did not come in time (55P03, 57014).
 */
const AWAY_CODE =
  /^(08...|57P..|53...|55P03|57014|E(CONN[A-Z]+|PIPE|HOSTUNREACH|NETUNREACH|TIMEDOUT|NOTFOUND|AI_AGAIN))$/;
const AWAY_MESSAGE =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/;

/** SQLSTATE `disk_full`. */
const DISK_FULL = '53100';
