import { Body, Controller, Get, Inject, Param, Post, Query, UseGuards } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { EventContext } from '#event-log/index.js';
import { PageQuery } from '#runtime/nest/runtime.module.js';
import type { Principal } from '../roles.js';
import { Caller, Context } from './caller.js';
import { IdParams, IssueTokenDto } from './identity.dto.js';
import { Needs, PeopleGuard } from './people.guard.js';
import { listTokens } from './read-identity.handler.js';
import { IssueToken, RevokeToken } from './token.handler.js';
import { ShowsSecret } from './shows-secret.js';
import { IssuedToken, TokensPage, TokenView } from './views.dto.js';

@Controller('v1/tokens')
@UseGuards(PeopleGuard)
export class TokensController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  /** The tenant's API tokens, without their secrets. */
  @Get()
  @Needs('token:read')
  list(@Query() page: PageQuery, @Caller() caller: Principal): Promise<TokensPage> {
    return this.queries.execute(listTokens(caller.tenant, page));
  }

  /** Issues an API token. `token` is the secret and is shown in this answer alone. */
  @Post()
  @Needs('token:write')
  @ShowsSecret()
  issue(
    @Body() data: IssueTokenDto,
    @Caller() caller: Principal,
    @Context() context: EventContext,
  ): Promise<IssuedToken> {
    return this.commands.execute(new IssueToken(data, caller, context));
  }

  /** Revokes a token: refused from the next request on. Repeating the call is harmless. */
  @Post(':id/revoke')
  @Needs('token:write')
  revoke(@Param() { id: tokenId }: IdParams, @Context() context: EventContext): Promise<TokenView> {
    return this.commands.execute(new RevokeToken(tokenId, context));
  }
}
