import { Controller, Get, Header, HttpCode, Inject, Param, Post, Res, UseGuards } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import type { EventContext } from '#event-log/index.js';
import type { Principal } from '#identity/index.js';
import { Caller, Context, Needs, PeopleGuard } from '#identity/nest/identity.module.js';
import { ReadOperation } from './operation.handler.js';
import { OperationDto, OperationIdParam, ProjectionNameParam, ProjectionsDto } from './projections.dto.js';
import { ListProjections, RunProjection } from './projections.handler.js';

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

  /** Rebuilds a read model from the log beside the live one, then puts it in its place. Goes on after the answer. */
  @Post('projections/:name/rebuild')
  @Needs('projection:write')
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
  @HttpCode(202)
  @Header('retry-after', '1')
  verify(
    @Param() { name }: ProjectionNameParam,
    @Context() context: EventContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<OperationDto> {
    return this.started(new RunProjection('verify', name, context), reply);
  }

  /** How something that went on after its 202 is doing. */
  @Get('operations/:id')
  @Needs('projection:read')
  operation(@Caller() { tenant }: Principal, @Param() { id }: OperationIdParam): Promise<OperationDto> {
    return this.queries.execute(new ReadOperation(tenant, id));
  }

  private async started(command: RunProjection, reply: FastifyReply): Promise<OperationDto> {
    const operation = await this.commands.execute(command);
    void reply.header('location', `/v1/operations/${operation.id}`);
    return operation;
  }
}
