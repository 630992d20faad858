import { AsyncLocalStorage } from 'node:async_hooks';
import type { TrialPart } from '#runtime/index.js';

/** As much of a transaction as is needed here. */
interface Asked {
  query<R extends object>(sql: string, params?: readonly unknown[]): Promise<R[]>;
}

/** A connection that a trial has for itself. */
export interface TrialConnection<Tx extends Asked> {
  tx: Tx;
  /** Rolls back, and gives the connection back. Never rejects. */
  giveBack(): Promise<void>;
}

/**
 * Who tries does not keep others waiting: a trial has the locks of all its transactions at once, in an order of its own,
 * and so it is the one to give way before Postgres looks for deadlocks (after a second).
 */
const PATIENCE = '200ms';

/**
 * All transactions of one trial on one database, as savepoints of a single one that is rolled back in the end: each sees
 * what those before it did, and nobody else sees anything. They take turns, but for one that is begun within another.
 */
export class TrialSession<Tx extends Asked> implements TrialPart {
  private readonly inside = new AsyncLocalStorage<true>();
  private readonly connection: Promise<TrialConnection<Tx>>;
  private turn: Promise<unknown>;
  private count = 0;

  constructor(connect: () => Promise<TrialConnection<Tx>>) {
    this.connection = connect();
    this.turn = this.connection.then(({ tx }) => tx.query(`select set_config('lock_timeout', $1, true)`, [PATIENCE]));
    this.turn.catch(() => undefined); // whoever takes the first turn hears of it
  }

  /** @param tenant undefined: of nobody's rows */
  run<T>(tenant: string | undefined, work: (tx: Tx) => Promise<T>): Promise<T> {
    if (this.inside.getStore() === true) return this.step(tenant ?? '', work);
    const mine = this.turn.then(() => this.inside.run(true, () => this.step(tenant ?? '', work)));
    this.turn = mine.catch(() => undefined);
    return mine;
  }

  async end(): Promise<void> {
    await this.turn.catch(() => undefined);
    const connection = await this.connection.catch(() => undefined);
    await connection?.giveBack();
  }

  private async step<T>(tenant: string, work: (tx: Tx) => Promise<T>): Promise<T> {
    const { tx } = await this.connection;
    const name = `trial_${++this.count}`;
    const enter = (to: string) => tx.query(`select set_config('muster.tenant', $1, true)`, [to]);
    const [before] = await tx.query<{ tenant: string | null }>(
      `select current_setting('muster.tenant', true) as tenant`,
    );
    await tx.query(`savepoint ${name}`);
    try {
      await enter(tenant);
      const result = await work(tx);
      await tx.query(`release savepoint ${name}`);
      await enter(before?.tenant ?? '');
      return result;
    } catch (error) {
      await tx.query(`rollback to savepoint ${name}`).catch(() => undefined); // the settings with it
      throw error;
    }
  }
}
