import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { Clock } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { InsightError } from '../errors.js';
import { OperationEntity } from './operation.entity.js';
import { LOST_AFTER_MS } from './operations.js';
import type { OperationDto } from './projections.dto.js';
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
    const { kind, object, result, startedAt, seenAt } = row;
    const isLost = row.status === 'running' && seenAt.getTime() + LOST_AFTER_MS < this.clock.now();
    return { id, kind, object, status: isLost ? 'lost' : row.status, result, startedAt: startedAt.toISOString() };
  }
}
