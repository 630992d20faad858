import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type EventContext, PostgresLog } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import { type Clock, idFrom, instant } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { checkPassword, hashPassword } from '../credentials.js';
import { refusedField } from '../errors.js';
import { ROLES } from '../roles.js';
import { checkTenantId } from '../tenant.js';
import { audit } from './audit.js';
import { insertPerson, personOrNone } from './run-person.handler.js';
import type { TenantView } from './views.dto.js';

export interface TenantCommand {
  type: 'AddTenant';
  data: {
    tenant: string;
    name: string;
    /** The tenant's first administrator, who gets every role. */
    administrator?: { email: string; name: string; password: string };
    /** Whether that administrator runs the installation: at its first start only. */
    platform?: boolean;
  };
}

export class RunTenant extends Command<TenantView> {
  constructor(
    readonly command: TenantCommand,
    readonly context: Omit<EventContext, 'tenant'>,
  ) {
    super();
  }
}

@CommandHandler(RunTenant)
export class RunTenantHandler implements ICommandHandler<RunTenant> {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(PostgresLog) private readonly log: PostgresLog,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** The audit events stand in the new tenant's log. @throws IdentityError `tenant.malformed`, `tenant.exists` */
  async execute({ command: { data }, context }: RunTenant): Promise<TenantView> {
    const { name, administrator, platform = false } = data;
    const tenant = checkTenantId(data.tenant);
    const passwordHash = administrator && (await hashPassword(checkPassword(administrator.password)));
    const personId = idFrom(context.commandId, 'person');
    const now = this.clock.now();
    await this.databases.actor.inTenant(tenant, async (tx) => {
      const added = await tx.query(
        `insert into ops.tenant (tenant, name, created_at, version) values ($1, $2, $3, 1)
         on conflict (tenant) do nothing returning tenant`,
        [tenant, name, new Date(now)],
      );
      // Given again after its answer was lost, it finds the administrator that it made.
      if (added.length === 0 && (await personOrNone(tx, tenant, personId)) !== undefined) return;
      if (added.length === 0) throw refusedField('tenant.exists', '/tenant', 'there is a tenant with this id already');
      await tx.query('insert into ops.device_counter (tenant, next_no) values ($1, 0)', [tenant]);
      const here = { ...context, tenant };
      await audit(this.log, tx, here, {
        operation: 'tenant.add',
        object: { kind: 'tenant', id: tenant },
        summary: name,
      });
      if (administrator === undefined || passwordHash === undefined) return;
      const person = await insertPerson(
        tx,
        { ...administrator, tenant, personId, roles: ROLES, passwordHash, platform },
        now,
      );
      const object = { kind: 'person', id: person.person_id };
      await audit(this.log, tx, here, { operation: 'user.add', object, summary: 'first administrator, every role' });
    });
    return { id: tenant, name, createdAt: instant(now), version: 1 };
  }
}
