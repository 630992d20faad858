import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { newId } from '#runtime/index.js';
import { IdentityError } from '../errors.js';
import { Tenants } from './tenants.js';
import { RunTenant } from './run-tenant.handler.js';

export interface FirstAdministrator {
  tenant: string;
  email: string;
  password: string;
}

/** The first start: a tenant and the administrator who runs the installation. */
@Injectable()
export class Bootstrap {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(Tenants) private readonly tenants: Tenants,
  ) {}

  /** Whether the first start is over. */
  async isSettled(): Promise<boolean> {
    return (await this.tenants.list()).length > 0;
  }

  /** @returns false when there is a tenant already, and nothing was done */
  async bootstrapAdministrator({ tenant, email, password }: FirstAdministrator): Promise<boolean> {
    if (await this.isSettled()) return false;
    const administrator = { email, name: 'Administrator', password };
    const data = { tenant, name: tenant, administrator, platform: true };
    const context = { actor: 'system:bootstrap', commandId: newId() };
    try {
      await this.commands.execute(new RunTenant({ type: 'AddTenant', data }, context));
      return true;
    } catch (error) {
      if (error instanceof IdentityError && error.code === 'tenant.exists') return false; // another instance was first
      throw error;
    }
  }
}
