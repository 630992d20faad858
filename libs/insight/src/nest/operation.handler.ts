import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler, type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { EventContext } from '#event-log/index.js';
import type { Clock } from '#runtime/index.js';
import { CLOCK, Cursors, type PageQuery } from '#runtime/nest/runtime.module.js';
import { InsightError } from '../errors.js';
import { OperationEntity } from './operation.entity.js';
import { type Counted, LOST_AFTER_MS, Operations } from './operations.js';
import type { OperationDto, OperationProgressDto, OperationsPage } from './projections.dto.js';
import { ReadModels } from './read-models.js';

export class ReadOperation extends Query<OperationDto> {
  constructor(
    readonly tenant: string,
    readonly id: string,
  ) {
    super();
  }
}

@QueryHandler(ReadOperation)
export class ReadOperationHandler implements IQueryHandler<ReadOperation> {
  constructor(
    @Inject(ReadModels) private readonly models: ReadModels,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** @throws InsightError `operation.unknown` */
  async execute({ tenant, id }: ReadOperation): Promise<OperationDto> {
    const row = await this.models.inTenant(tenant, (db) => db.getRepository(OperationEntity).findOneBy({ tenant, id }));
    if (row === null) throw new InsightError('operation.unknown', { id });
    return viewOf(row, this.clock.now());
  }
}

/** Ends one that runs. */
export class CancelOperation extends Command<void> {
  constructor(
    readonly id: string,
    readonly context: EventContext,
  ) {
    super();
  }
}

@CommandHandler(CancelOperation)
export class CancelOperationHandler implements ICommandHandler<CancelOperation> {
  constructor(@Inject(Operations) private readonly operations: Operations) {}

  /** @throws InsightError `operation.unknown`, `operation.over` */
  execute({ id, context }: CancelOperation): Promise<void> {
    return this.operations.cancel(context, id);
  }
}

/** One page of a tenant's operations, newest first. */
export class ListOperations extends Query<OperationsPage> {
  constructor(
    readonly tenant: string,
    readonly page: PageQuery,
  ) {
    super();
  }
}

@QueryHandler(ListOperations)
export class ListOperationsHandler implements IQueryHandler<ListOperations> {
  constructor(
    @Inject(ReadModels) private readonly models: ReadModels,
    @Inject(Cursors) private readonly cursors: Cursors,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async execute({ tenant, page }: ListOperations): Promise<OperationsPage> {
    const list = `operations:${tenant}`;
    const [before] = this.cursors.after(list, page) ?? [];
    const rows = await this.models.inTenant(tenant, (db) => {
      const found = db.getRepository(OperationEntity).createQueryBuilder('o').where('o.tenant = :tenant', { tenant });
      if (before !== undefined) found.andWhere('o.id < :before', { before }); // ids sort by the time of their making
      return found
        .orderBy('o.id', 'DESC')
        .limit(page.limit + 1)
        .getMany();
    });
    const { items, next } = this.cursors.page(list, page, rows, ({ id }) => [id]);
    return { items: items.map((row) => viewOf(row, this.clock.now())), next };
  }
}

function viewOf({ id, kind, object, status, result, startedAt, seenAt }: OperationEntity, now: number): OperationDto {
  const isRunning = status === 'running';
  const isLost = isRunning && seenAt.getTime() + LOST_AFTER_MS < now;
  return {
    id,
    kind,
    object,
    status: isLost ? 'lost' : status,
    result: isRunning ? null : result,
    progress:
      isRunning && result !== null ? progressOf(result as Counted, seenAt.getTime() - startedAt.getTime()) : null,
    startedAt: startedAt.toISOString(),
  };
}

/** The rate is that of the whole run so far: a build reads its log evenly. */
function progressOf({ done, total }: Counted, runMs: number): OperationProgressDto {
  const perSecond = runMs > 0 ? done / (runMs / 1_000) : 0;
  return {
    done,
    total,
    percent: total === 0 ? 100 : Math.min(100, Math.round((done / total) * 1_000) / 10),
    perSecond: Math.round(perSecond),
    etaSeconds: perSecond > 0 ? Math.ceil(Math.max(0, total - done) / perSecond) : null,
  };
}

export const operationHandlers = [ReadOperationHandler, ListOperationsHandler, CancelOperationHandler];
