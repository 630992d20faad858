import { Body, Controller, Get, Inject, Param, Patch, Post, Query, UseGuards } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { EventContext } from '#event-log/index.js';
import { IfMatch, PageQuery } from '#runtime/nest/runtime.module.js';
import type { Principal } from '../roles.js';
import { Caller, Context } from './caller.js';
import { AddUserDto, ChangeUserDto, IdParams } from './identity.dto.js';
import { Needs, PeopleGuard } from './people.guard.js';
import { GetPerson, listPeople } from './read-identity.handler.js';
import { RunPerson } from './run-person.handler.js';
import { PeoplePage, PersonView } from './views.dto.js';

@Controller('v1/users')
@UseGuards(PeopleGuard)
export class UsersController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  /** The tenant's people. */
  @Get()
  @Needs('user:read')
  list(@Query() page: PageQuery, @Caller() caller: Principal): Promise<PeoplePage> {
    return this.queries.execute(listPeople(caller.tenant, page));
  }

  /** One person. */
  @Get(':id')
  @Needs('user:read')
  get(@Param() { id }: IdParams, @Caller() caller: Principal): Promise<PersonView> {
    return this.queries.execute(new GetPerson(caller.tenant, id));
  }

  /** Adds a person. */
  @Post()
  @Needs('user:write')
  add(@Body() data: AddUserDto, @Caller() caller: Principal, @Context() context: EventContext): Promise<PersonView> {
    return this.commands.execute(new RunPerson({ type: 'AddPerson', data }, caller, context));
  }

  /** Changes a person. Sessions end when roles, access or password change; nobody changes their own roles. */
  @Patch(':id')
  @Needs('user:write')
  change(
    @Param() { id: personId }: IdParams,
    @IfMatch() version: number | undefined,
    @Body() changes: ChangeUserDto,
    @Caller() caller: Principal,
    @Context() context: EventContext,
  ): Promise<PersonView> {
    const data = { ...changes, personId, version };
    return this.commands.execute(new RunPerson({ type: 'ChangePerson', data }, caller, context));
  }
}
