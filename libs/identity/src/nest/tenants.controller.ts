import { Body, Controller, Get, Inject, Post, UseGuards } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { EventContext } from '#event-log/index.js';
import type { Principal } from '../roles.js';
import { Caller, Context } from './caller.js';
import { AddTenantDto } from './identity.dto.js';
import { Needs, PeopleGuard } from './people.guard.js';
import { ListTenants } from './read-identity.handler.js';
import { RunTenant } from './run-tenant.handler.js';
import { TenantsPage, TenantView } from './views.dto.js';

@Controller('v1/tenants')
@UseGuards(PeopleGuard)
export class TenantsController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  /** Every tenant, for who runs the installation; else the caller's own. */
  @Get()
  @Needs('tenant:read')
  async list(@Caller() caller: Principal): Promise<TenantsPage> {
    return { items: await this.queries.execute(new ListTenants(caller)), next: null };
  }

  /** Adds a tenant, with its first administrator. For who runs the installation. */
  @Post()
  @Needs('tenant:write')
  add(@Body() data: AddTenantDto, @Context() context: EventContext): Promise<TenantView> {
    return this.commands.execute(new RunTenant({ type: 'AddTenant', data }, context));
  }
}
