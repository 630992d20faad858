import { Inject, Injectable } from '@nestjs/common';
import { Databases } from '#event-log/nest/event-log.module.js';
import { IdentityError } from '../errors.js';
import type { TenantView } from './views.dto.js';

interface TenantRow {
  tenant: string;
  name: string;
  created_at: Date;
  version: number;
}

/** Every tenant there is: for process managers, and for the people who run the installation. */
@Injectable()
export class Tenants {
  constructor(@Inject(Databases) private readonly databases: Databases) {}

  async list(): Promise<TenantView[]> {
    const rows = await this.databases.actor.query<TenantRow>('select * from ops.tenant order by tenant');
    return rows.map(viewOfTenant);
  }

  /** @throws IdentityError `tenant.unknown` */
  async get(tenant: string): Promise<TenantView> {
    const [row] = await this.databases.actor.query<TenantRow>('select * from ops.tenant where tenant = $1', [tenant]);
    if (row === undefined) throw new IdentityError('tenant.unknown', { tenant });
    return viewOfTenant(row);
  }
}

const viewOfTenant = (row: TenantRow): TenantView => ({
  id: row.tenant,
  name: row.name,
  createdAt: row.created_at.toISOString(),
  version: row.version,
});
