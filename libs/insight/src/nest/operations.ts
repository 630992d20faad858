import { Inject, Injectable } from '@nestjs/common';
import { type EventContext, PostgresLog } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import { audit } from '#identity/nest/identity.module.js';
import { type Clock, DomainError, instant, type Log, newId } from '#runtime/index.js';
import { CLOCK, LOG } from '#runtime/nest/runtime.module.js';
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
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(PostgresLog) private readonly log: PostgresLog,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOG) private readonly logger: Log,
  ) {}

  /** @param work gives the result to keep @param counted how far it is */
  async start(
    { kind, object }: Started,
    context: EventContext,
    work: () => Promise<object>,
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

  /** Never rejects: how it ended is in the row, and in the log when even that could not be written. */
  private async run(
    { tenant, id }: { tenant: string; id: string },
    work: () => Promise<object>,
    counted: () => Promise<Counted | undefined>,
  ): Promise<void> {
    // Behind its end, a look that took long must not call it running again.
    const see = async () => this.note(tenant, id, 'running', (await counted()) ?? null);
    const seen = setInterval(() => {
      see().catch((err: unknown) => this.logger.warn('operation.unseen', { id, err }));
    }, SEEN_EVERY_MS);
    seen.unref();
    try {
      const result = await work();
      await this.note(tenant, id, 'done', result);
    } catch (err) {
      this.logger.error('operation.failed', { id, err });
      const code = err instanceof DomainError ? (err as DomainError).code : 'internal';
      await this.note(tenant, id, 'failed', { code }).catch((unwritten: unknown) =>
        this.logger.error('operation.unwritten', { id, err: unwritten }),
      );
    } finally {
      clearInterval(seen);
    }
  }

  private note(tenant: string, id: string, status: 'running' | 'done' | 'failed', result: object | null) {
    return this.databases.actor.inTenant(tenant, (tx) =>
      tx.query(
        `update ops.operation set status = $3, result = $4, seen_at = $5 where tenant = $1 and id = $2 and status = 'running'`,
        [tenant, id, status, result === null ? null : JSON.stringify(result), instant(this.clock.now())],
      ),
    );
  }
}
