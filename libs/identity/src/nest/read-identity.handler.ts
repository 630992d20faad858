import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { Databases } from '#event-log/nest/event-log.module.js';
import { type CursorKey, Cursors, type Page, type PageQuery } from '#runtime/nest/runtime.module.js';
import { IdentityError, refusedField } from '../errors.js';
import type { Principal } from '../roles.js';
import { CODE_COLUMNS, type CodeRow, viewOfCode } from './code.rows.js';
import { Devices, isIdPrefix, type SearchOrder } from './devices.js';
import type { DeviceFilter, DevicesQuery } from './identity.dto.js';
import { PERSON_COLUMNS, type PersonRow, viewOfPerson } from './person.rows.js';
import { Tenants } from './tenants.js';
import { TOKEN_COLUMNS, type TokenRow, viewOfToken } from './token.rows.js';
import type { CodeView, DeviceFacet, DeviceView, PersonView, TenantView, TokenView } from './views.dto.js';

export type IdentityList = 'people' | 'tokens' | 'codes';

/** One page of a tenant's people, tokens or enrolment codes. */
export class ListIdentity<View> extends Query<Page<View>> {
  constructor(
    readonly list: IdentityList,
    readonly tenant: string,
    readonly page: PageQuery,
  ) {
    super();
  }
}

export const listPeople = (tenant: string, page: PageQuery) => new ListIdentity<PersonView>('people', tenant, page);
export const listTokens = (tenant: string, page: PageQuery) => new ListIdentity<TokenView>('tokens', tenant, page);
export const listCodes = (tenant: string, page: PageQuery) => new ListIdentity<CodeView>('codes', tenant, page);

/** In the order of making; ids follow from commands and say nothing of time. */
const TABLES = {
  people: { from: `${PERSON_COLUMNS} from ops.person`, key: 'person_id' },
  tokens: { from: `${TOKEN_COLUMNS} from ops.api_token`, key: 'token_id' },
  codes: { from: `${CODE_COLUMNS} from ops.enrolment_code`, key: 'code_id' },
} as const;

@QueryHandler(ListIdentity)
export class ListIdentityHandler implements IQueryHandler<ListIdentity<unknown>> {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(Cursors) private readonly cursors: Cursors,
  ) {}

  async execute(query: ListIdentity<unknown>): Promise<Page<unknown>> {
    switch (query.list) {
      case 'people':
        return this.rows<PersonRow, PersonView>(query, 'people', viewOfPerson);
      case 'tokens':
        return this.rows<TokenRow, TokenView>(query, 'tokens', viewOfToken);
      case 'codes':
        return this.rows<CodeRow, CodeView>(query, 'codes', viewOfCode);
    }
  }

  private async rows<Row extends object, View extends { id: string; createdAt: string }>(
    { tenant, page }: ListIdentity<unknown>,
    list: keyof typeof TABLES,
    view: (row: Row) => View,
  ): Promise<Page<View>> {
    const { from, key } = TABLES[list];
    const [at = null, id = null] = this.cursors.after(`${list}:${tenant}`, page) ?? [];
    const rows = await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query<Row>(
        `select ${from} where tenant = $1 and ($2::timestamptz is null or (created_at, ${key}) > ($2, $3::uuid))
         order by created_at, ${key} limit $4`,
        [tenant, at, id, page.limit + 1],
      ),
    );
    return this.cursors.page(`${list}:${tenant}`, page, rows.map(view), (row): CursorKey => [row.createdAt, row.id]);
  }
}

/** One page of a tenant's devices. */
export class SearchDevices extends Query<Page<DeviceView>> {
  constructor(
    readonly tenant: string,
    readonly query: DevicesQuery,
  ) {
    super();
  }
}

/** The values of each order's key, as `Devices` compares them. */
const KEY_OF: Record<SearchOrder, (view: DeviceView) => CursorKey> = {
  number: ({ deviceNo }) => [deviceNo],
  label: ({ label, id }) => [label ?? '', id],
  id: ({ id }) => [id],
};

@QueryHandler(SearchDevices)
export class SearchDevicesHandler implements IQueryHandler<SearchDevices> {
  constructor(
    @Inject(Devices) private readonly devices: Devices,
    @Inject(Cursors) private readonly cursors: Cursors,
  ) {}

  /**
   * What looks like an id is looked for among ids first, and among labels when there is none.
   * @throws IdentityError `device.search`; CursorError `cursor.malformed`
   */
  async execute({ tenant, query }: SearchDevices): Promise<Page<DeviceView>> {
    const { q, channel, status, kind, limit } = query;
    const filter: DeviceFilter = { q, channel, status, kind };
    const list = `devices:${tenant}:${JSON.stringify([q, channel, status, kind])}`;
    const [from, ...after] = placeOf(query) ?? this.cursors.after(list, query) ?? [];
    const orders: SearchOrder[] = q === undefined ? ['number'] : isIdPrefix(q) ? ['id', 'label'] : ['label'];
    for (const by of from === undefined ? orders : [from as SearchOrder]) {
      const found = await this.devices.search(tenant, { by, filter, after, limit });
      if (found.length > 0) return this.cursors.page(list, query, found, (view) => [by, ...KEY_OF[by](view)]);
    }
    return { items: [], next: null };
  }
}

/** Where a page begins that was asked for by number. */
function placeOf({ from, q, cursor }: DevicesQuery): [SearchOrder, number] | undefined {
  if (from === undefined) return undefined;
  if (q !== undefined || cursor !== undefined)
    throw refusedField(
      'device.search',
      '/from',
      'a number is a place in the order of enrolment: leave out `q` and `cursor`',
    );
  return ['number', from - 1];
}

/** How many devices there are of each channel, status and kind. */
export class CountDevices extends Query<DeviceFacet[]> {
  constructor(
    readonly tenant: string,
    readonly filter: DeviceFilter,
  ) {
    super();
  }
}

@QueryHandler(CountDevices)
export class CountDevicesHandler implements IQueryHandler<CountDevices> {
  constructor(@Inject(Devices) private readonly devices: Devices) {}

  execute({ tenant, filter }: CountDevices): Promise<DeviceFacet[]> {
    return this.devices.facets(tenant, filter);
  }
}

export class GetDevice extends Query<DeviceView> {
  constructor(
    readonly tenant: string,
    readonly deviceId: string,
  ) {
    super();
  }
}

@QueryHandler(GetDevice)
export class GetDeviceHandler implements IQueryHandler<GetDevice> {
  constructor(@Inject(Devices) private readonly devices: Devices) {}

  execute({ tenant, deviceId }: GetDevice): Promise<DeviceView> {
    return this.devices.get(tenant, deviceId);
  }
}

export class GetPerson extends Query<PersonView> {
  constructor(
    readonly tenant: string,
    readonly personId: string,
  ) {
    super();
  }
}

@QueryHandler(GetPerson)
export class GetPersonHandler implements IQueryHandler<GetPerson> {
  constructor(@Inject(Databases) private readonly databases: Databases) {}

  /** @throws IdentityError `person.unknown` */
  async execute({ tenant, personId }: GetPerson): Promise<PersonView> {
    const [row] = await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query<PersonRow>(`select ${PERSON_COLUMNS} from ops.person where tenant = $1 and person_id = $2`, [
        tenant,
        personId,
      ]),
    );
    if (row === undefined) throw new IdentityError('person.unknown', { personId });
    return viewOfPerson(row);
  }
}

/** Tenants that the caller may know of: all, for who runs the installation, else their own. */
export class ListTenants extends Query<TenantView[]> {
  constructor(readonly caller: Principal) {
    super();
  }
}

@QueryHandler(ListTenants)
export class ListTenantsHandler implements IQueryHandler<ListTenants> {
  constructor(@Inject(Tenants) private readonly tenants: Tenants) {}

  async execute({ caller }: ListTenants): Promise<TenantView[]> {
    return caller.platform === true ? this.tenants.list() : [await this.tenants.get(caller.tenant)];
  }
}
