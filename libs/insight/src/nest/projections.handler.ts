import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler, type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { type Difference, type EventContext, ProjectionRunner } from '#event-log/index.js';
import type { Principal } from '#identity/index.js';
import { InsightError } from '../errors.js';
import { PERSONAL_COLUMNS } from '../views/device-timeline.js';
import { Operations } from './operations.js';
import { type LaggingProjection, ProjectionLag } from './projection-lag.js';
import type { OperationDto, ProjectionDetailsDto, ProjectionDto, ProjectionsDto } from './projections.dto.js';

export class ListProjections extends Query<ProjectionsDto> {}

@QueryHandler(ListProjections)
export class ListProjectionsHandler implements IQueryHandler<ListProjections> {
  constructor(@Inject(ProjectionLag) private readonly lag: ProjectionLag) {}

  async execute(): Promise<ProjectionsDto> {
    return { items: (await this.lag.list()).map(viewOf) };
  }
}

function stateOf({ stopped, isRebuilding, lag }: LaggingProjection): ProjectionDto['state'] {
  if (stopped.length > 0) return 'stopped';
  if (isRebuilding) return 'rebuilding';
  return lag > 0 ? 'behind' : 'live';
}

export function viewOf(projection: LaggingProjection): ProjectionDto {
  const { name, version, lag: lagEvents, parked, partitions } = projection;
  const state = stateOf(projection);
  const lagging = partitions.filter(({ events }) => events > 0);
  const lagSeconds = Math.max(0, ...lagging.map(({ seconds }) => seconds));
  return { name, version, state, lagEvents, lagSeconds, parked: parked.length, partitions: lagging };
}

/** One read model, with the streams that it has put aside. */
export class ReadProjection extends Query<ProjectionDetailsDto> {
  constructor(
    readonly name: string,
    readonly caller: Principal,
  ) {
    super();
  }
}

@QueryHandler(ReadProjection)
export class ReadProjectionHandler implements IQueryHandler<ReadProjection> {
  constructor(@Inject(ProjectionLag) private readonly lag: ProjectionLag) {}

  /** @throws InsightError `projection.unknown` */
  async execute({ name, caller }: ReadProjection): Promise<ProjectionDetailsDto> {
    const found = (await this.lag.list()).find((each) => each.name === name);
    if (found === undefined) throw new InsightError('projection.unknown', { projection: name });
    return { ...viewOf(found), parkedStreams: found.parked.filter(({ stream }) => seesStream(caller, stream)) };
  }
}

/** A read model holds the streams of all tenants: each tenant sees its own, who runs the installation sees all. */
export const seesStream = ({ tenant, platform }: Principal, stream: string): boolean =>
  platform === true || stream.startsWith(`${tenant}/`);

/** Rebuilds a read model from the log, or compares it with what the log makes of it. */
export class RunProjection extends Command<OperationDto> {
  constructor(
    readonly verb: 'rebuild' | 'verify',
    readonly name: string,
    readonly context: EventContext,
  ) {
    super();
  }
}

@CommandHandler(RunProjection)
export class RunProjectionHandler implements ICommandHandler<RunProjection> {
  constructor(
    @Inject(ProjectionRunner) private readonly runner: ProjectionRunner,
    @Inject(Operations) private readonly operations: Operations,
  ) {}

  /** @throws InsightError `projection.unknown` */
  async execute({ verb, name, context }: RunProjection): Promise<OperationDto> {
    const known = await this.runner.list();
    if (!known.some((each) => each.name === name)) throw new InsightError('projection.unknown', { projection: name });
    const work = (cancelled: AbortSignal) =>
      verb === 'rebuild' ? this.rebuild(name, cancelled) : this.verify(name, context.tenant, cancelled);
    return this.operations.start({ kind: `projection.${verb}`, object: name }, context, work, () =>
      this.runner.building(name),
    );
  }

  private async rebuild(name: string, cancelled: AbortSignal): Promise<object> {
    await this.runner.rebuild(name, cancelled);
    return { rebuilt: name };
  }

  /** A read model holds the rows of all tenants: of others' rows the caller learns how many cells differ, no more. */
  private async verify(name: string, tenant: string, cancelled: AbortSignal): Promise<object> {
    const found = await this.runner.verify(name, cancelled);
    if (found.equal) return found;
    const own = found.differences.filter(({ key }) => key.tenant === tenant).map(withoutPersonal);
    return { equal: false, differences: own, ofOtherTenants: found.differences.length - own.length };
  }
}

/** The cell stays named; its values are kept only where an erasure need not find them again. */
function withoutPersonal(difference: Difference): Difference {
  if (PERSONAL_COLUMNS.includes(difference.column)) return { ...difference, live: null, rebuilt: null };
  return { ...difference, live: nulled(difference.live), rebuilt: nulled(difference.rebuilt) };
}

/** Whole rows are compared when one side has none. */
function nulled(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, cell]) => [name, PERSONAL_COLUMNS.includes(name) ? null : cell]),
  );
}
