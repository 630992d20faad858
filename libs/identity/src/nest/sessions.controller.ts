import { Body, Controller, Delete, Get, HttpCode, Inject, Post, Put, Req, Res, UseGuards } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { EventContext } from '#event-log/index.js';
import { NeverDry } from '#runtime/nest/runtime.module.js';
import { PERMISSIONS, permits, type Principal } from '../roles.js';
import { Caller, newCommand, Context } from './caller.js';
import { LoginDto, OwnPasswordDto } from './identity.dto.js';
import { PeopleGuard, SignedIn } from './people.guard.js';
import { GetPerson } from './read-identity.handler.js';
import { RunPerson } from './run-person.handler.js';
import { CloseSession, OpenSession } from './session.handler.js';
import {
  clearSessionCookie,
  cookieOf,
  refuseForeignOrigin,
  setSessionCookie,
  shownCredential,
} from './shown-credential.js';
import { CallerView, OpenedSession, PersonView } from './views.dto.js';

@Controller('v1')
export class SessionsController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  /** Logs in. The token is shown once, or is a cookie that no page can read; a session that the caller sends along ends. */
  @Post('sessions')
  @NeverDry()
  open(
    @Body() login: LoginDto,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<OpenedSession> {
    return login.cookie ? this.openByCookie(login, request, reply) : this.openByToken(login, request);
  }

  /** A foreign page must not be able to sign its visitor in as somebody else either. */
  private async openByCookie(login: LoginDto, request: FastifyRequest, reply: FastifyReply): Promise<OpenedSession> {
    refuseForeignOrigin(request);
    const data = { ...login, address: request.ip, before: cookieOf(request) };
    const { token, ...opened } = await this.commands.execute(new OpenSession(data, newCommand(request)));
    setSessionCookie(request, reply, token);
    return opened;
  }

  private openByToken(login: LoginDto, request: FastifyRequest): Promise<OpenedSession> {
    const shown = shownCredential(request);
    const before = shown?.by === 'header' ? shown.text : undefined;
    const data = { ...login, address: request.ip, before };
    return this.commands.execute(new OpenSession(data, newCommand(request)));
  }

  /** Logs out. Repeating the call answers 401: the session is gone. */
  @Delete('sessions/current')
  @NeverDry()
  @HttpCode(204)
  @UseGuards(PeopleGuard)
  @SignedIn()
  async close(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<void> {
    const { text, by } = shownCredential(request) ?? { text: '', by: 'header' };
    await this.commands.execute(new CloseSession(text, newCommand(request)));
    if (by === 'cookie') clearSessionCookie(request, reply);
  }

  /** Who the caller is, and what they may be. */
  @Get('me')
  @UseGuards(PeopleGuard)
  @SignedIn()
  me(@Caller() caller: Principal): CallerView {
    const permissions = PERMISSIONS.filter((permission) => permits(caller, permission));
    return { ...caller, roles: [...caller.roles], permissions };
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
