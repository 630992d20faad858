import { Inject, Injectable } from '@nestjs/common';
import { type EventContext, PostgresLog } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import { audit } from '#identity/nest/identity.module.js';
import { type Clock, DomainError, instant, type Log, newId } from '#runtime/index.js';
import { CLOCK, LOG } from '#runtime/nest/runtime.module.js';
import { InsightError } from '../errors.js';
import type { OperationDto } from './projections.dto.js';

/** How often a running operation says that it is still there, and how far it is; silent for so long, it counts as lost. */
const SEEN_EVERY_MS = 1_000;
export const LOST_AFTER_MS = 20_000;

/** Of events of the log. */
export interface Counted {
  done: number;
  total: number;
}

interface Started {
  kind: OperationDto['kind'];
  object: string;
}

/** Runs what takes longer than a request. The row and its audit event are written together, before it begins. */
@Injectable()
export class Operations {
  /** Of this process. */
  private readonly running = new Map<string, AbortController>();

  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(PostgresLog) private readonly log: PostgresLog,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOG) private readonly logger: Log,
  ) {}

  /** @param work gives the result to keep, and is told when nobody wants it any more @param counted how far it is */
  async start(
    { kind, object }: Started,
    context: EventContext,
    work: (cancelled: AbortSignal) => Promise<object>,
    counted: () => Promise<Counted | undefined>,
  ): Promise<OperationDto> {
    const id = newId();
    const startedAt = instant(this.clock.now());
    await this.databases.actor.inTenant(context.tenant, async (tx) => {
      await tx.query(
        `insert into ops.operation (tenant, id, kind, object, status, started_at, seen_at)
         values ($1, $2, $3, $4, 'running', $5, $5)`,
        [context.tenant, id, kind, object, startedAt],
      );
      const summary = `operation ${id}`;
      await audit(this.log, tx, context, { operation: kind, object: { kind: 'projection', id: object }, summary });
    });
    void this.run({ tenant: context.tenant, id }, work, counted);
    return { id, kind, object, status: 'running', result: null, progress: null, startedAt };
  }

  /**
   * Ends one, wherever it runs: the row says so, and its process looks there every second.
   * @throws InsightError `operation.unknown`, `operation.over`
   */
  async cancel(context: EventContext, id: string): Promise<void> {
    const { tenant } = context;
    await this.databases.actor.inTenant(tenant, async (tx) => {
      const [row] = await tx.query<{ kind: OperationDto['kind']; object: string; status: string }>(
        'select kind, object, status from ops.operation where tenant = $1 and id = $2 for update',
        [tenant, id],
      );
      if (row === undefined) throw new InsightError('operation.unknown', { id });
      if (row.status === 'cancelled') return;
      if (row.status !== 'running') throw new InsightError('operation.over', { id }, 'it has come to its end');
      await tx.query(`update ops.operation set status = 'cancelled', result = null where tenant = $1 and id = $2`, [
        tenant,
        id,
      ]);
      const about = { operation: 'operation.cancel', object: { kind: 'projection', id: row.object } };
      await audit(this.log, tx, context, { ...about, summary: `${row.kind}, operation ${id}` });
    });
    this.running.get(id)?.abort();
  }

  /** Never rejects: how it ended is in the row, and in the log when even that could not be written. */
  private async run(
    { tenant, id }: { tenant: string; id: string },
    work: (cancelled: AbortSignal) => Promise<object>,
    counted: () => Promise<Counted | undefined>,
  ): Promise<void> {
    const stop = new AbortController();
    this.running.set(id, stop);
    // Behind its end, a look that took long must not call it running again.
    const see = async () => {
      if (!(await this.note(tenant, id, 'running', (await counted()) ?? null))) stop.abort();
    };
    const seen = setInterval(() => {
      see().catch((err: unknown) => this.logger.warn('operation.unseen', { id, err }));
    }, SEEN_EVERY_MS);
    seen.unref();
    try {
      const result = await work(stop.signal);
      await this.note(tenant, id, 'done', result);
    } catch (err) {
      if (stop.signal.aborted) return; // its row says so
      this.logger.error('operation.failed', { id, err });
      const code = err instanceof DomainError ? (err as DomainError).code : 'internal';
      await this.note(tenant, id, 'failed', { code }).catch((unwritten: unknown) =>
        this.logger.error('operation.unwritten', { id, err: unwritten }),
      );
    } finally {
      clearInterval(seen);
      this.running.delete(id);
    }
  }

  /** @returns false when it runs no more */
  private async note(
    tenant: string,
    id: string,
    status: 'running' | 'done' | 'failed',
    result: object | null,
  ): Promise<boolean> {
    const rows = await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query(
        `update ops.operation set status = $3, result = $4, seen_at = $5
         where tenant = $1 and id = $2 and status = 'running' returning id`,
        [tenant, id, status, result === null ? null : JSON.stringify(result), instant(this.clock.now())],
      ),
    );
    return rows.length > 0;
  }
}
