import { Body, Controller, Delete, Get, HttpCode, Inject, Post, Put, Req, UseGuards } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { FastifyRequest } from 'fastify';
import type { EventContext } from '#event-log/index.js';
import { NeverDry } from '#runtime/nest/runtime.module.js';
import type { Principal } from '../roles.js';
import { Caller, newCommand, Context } from './caller.js';
import { LoginDto, OwnPasswordDto } from './identity.dto.js';
import { bearerOf, PeopleGuard, SignedIn } from './people.guard.js';
import { GetPerson } from './read-identity.handler.js';
import { RunPerson } from './run-person.handler.js';
import { CloseSession, OpenSession } from './session.handler.js';
import { CallerView, OpenedSession, PersonView } from './views.dto.js';

@Controller('v1')
export class SessionsController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  /** Logs in. The token is shown once; a session that the caller sends along ends. */
  @Post('sessions')
  @NeverDry()
  open(@Body() login: LoginDto, @Req() request: FastifyRequest): Promise<OpenedSession> {
    const before = bearerOf(request.headers.authorization);
    const data = { ...login, address: request.ip, before };
    return this.commands.execute(new OpenSession(data, newCommand(request)));
  }

  /** Logs out. Repeating the call answers 401: the session is gone. */
  @Delete('sessions/current')
  @NeverDry()
  @HttpCode(204)
  @UseGuards(PeopleGuard)
  @SignedIn()
  async close(@Req() request: FastifyRequest): Promise<void> {
    const token = bearerOf(request.headers.authorization) ?? '';
    await this.commands.execute(new CloseSession(token, newCommand(request)));
  }

  /** Who the caller is, and what they may be. */
  @Get('me')
  @UseGuards(PeopleGuard)
  @SignedIn()
  me(@Caller() caller: Principal): CallerView {
    return { ...caller, roles: [...caller.roles] };
  }

  /** The caller's own account; for people, not tokens. */
  @Get('me/account')
  @UseGuards(PeopleGuard)
  @SignedIn()
  account(@Caller() caller: Principal): Promise<PersonView> {
    return this.queries.execute(new GetPerson(caller.tenant, caller.id));
  }

  /** Changes the caller's own password. Every session of theirs ends. Not to be tried: who found an open session would guess the password by it. */
  @Put('me/password')
  @NeverDry()
  @HttpCode(204)
  @UseGuards(PeopleGuard)
  @SignedIn()
  async changePassword(
    @Body() data: OwnPasswordDto,
    @Caller() caller: Principal,
    @Context() context: EventContext,
  ): Promise<void> {
    await this.commands.execute(new RunPerson({ type: 'ChangeOwnPassword', data }, caller, context));
  }
}
