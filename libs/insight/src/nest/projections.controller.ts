import { Body, Controller, Get, Header, HttpCode, Inject, Param, Post, Query, Res, UseGuards } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import type { EventContext } from '#event-log/index.js';
import type { Principal } from '#identity/index.js';
import { Caller, Context, Needs, PeopleGuard } from '#identity/nest/identity.module.js';
import { NeverDry, PageQuery } from '#runtime/nest/runtime.module.js';
import { CancelOperation, ListOperations, ReadOperation } from './operation.handler.js';
import {
  OperationDto,
  OperationIdParam,
  OperationsPage,
  ProjectionDetailsDto,
  ProjectionNameParam,
  ProjectionsDto,
  UnparkDto,
  UnparkedDto,
} from './projections.dto.js';
import { ListProjections, ReadProjection, RunProjection } from './projections.handler.js';
import { UnparkStream } from './unpark.handler.js';

@Controller('v1')
@UseGuards(PeopleGuard)
export class ProjectionsController {
  constructor(
    @Inject(QueryBus) private readonly queries: QueryBus,
    @Inject(CommandBus) private readonly commands: CommandBus,
  ) {}

  /** The read models, and how far they are behind the log. */
  @Get('projections')
  @Needs('projection:read')
  list(): Promise<ProjectionsDto> {
    return this.queries.execute(new ListProjections());
  }

  /** One read model, and which streams it has put aside because an event of theirs could not be applied. */
  @Get('projections/:name')
  @Needs('projection:read')
  read(@Caller() caller: Principal, @Param() { name }: ProjectionNameParam): Promise<ProjectionDetailsDto> {
    return this.queries.execute(new ReadProjection(name, caller));
  }

  /** Has a read model apply what it has put aside of a stream, in order. An event that still fails refuses all of it, unless it is discarded. */
  @Post('projections/:name/unpark')
  @Needs('projection:write')
  @NeverDry()
  @HttpCode(200)
  unpark(
    @Param() { name }: ProjectionNameParam,
    @Body() wish: UnparkDto,
    @Caller() caller: Principal,
    @Context() context: EventContext,
  ): Promise<UnparkedDto> {
    return this.commands.execute(new UnparkStream(name, wish, caller, context));
  }

  /** Rebuilds a read model from the log beside the live one, then puts it in its place. Goes on after the answer. */
  @Post('projections/:name/rebuild')
  @Needs('projection:write')
  @NeverDry()
  @HttpCode(202)
  @Header('retry-after', '1')
  rebuild(
    @Param() { name }: ProjectionNameParam,
    @Context() context: EventContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<OperationDto> {
    return this.started(new RunProjection('rebuild', name, context), reply);
  }

  /** Compares a read model with what the log makes of it, cell by cell. Goes on after the answer. */
  @Post('projections/:name/verify')
  @Needs('projection:write')
  @NeverDry()
  @HttpCode(202)
  @Header('retry-after', '1')
  verify(
    @Param() { name }: ProjectionNameParam,
    @Context() context: EventContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<OperationDto> {
    return this.started(new RunProjection('verify', name, context), reply);
  }

  /** What went on after its 202, newest first. Uploads are listed by `/v1/uploads`: a service without their bytes cannot count them. */
  @Get('operations')
  @Needs('projection:read')
  operations(@Caller() { tenant }: Principal, @Query() page: PageQuery): Promise<OperationsPage> {
    return this.queries.execute(new ListOperations(tenant, page));
  }

  /** How something that went on after its 202 is doing. */
  @Get('operations/:id')
  @Needs('projection:read')
  operation(@Caller() { tenant }: Principal, @Param() { id }: OperationIdParam): Promise<OperationDto> {
    return this.queries.execute(new ReadOperation(tenant, id));
  }

  /** Ends what goes on after its 202; what was live stays. A rebuild that puts its tables in place is not stopped any more. Repeating it is harmless. */
  @Post('operations/:id/cancel')
  @Needs('projection:write')
  @NeverDry()
  @HttpCode(204)
  cancel(@Param() { id }: OperationIdParam, @Context() context: EventContext): Promise<void> {
    return this.commands.execute(new CancelOperation(id, context));
  }

  private async started(command: RunProjection, reply: FastifyReply): Promise<OperationDto> {
    const operation = await this.commands.execute(command);
    void reply.header('location', `/v1/operations/${operation.id}`);
    return operation;
  }
}
