import { Inject, Injectable } from '@nestjs/common';
import { KnownRows, type RowName } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import { IdentityError } from '../errors.js';
import type { DeviceFilter } from './identity.dto.js';
import type { DeviceFacet, DeviceView } from './views.dto.js';

/** Who a certificate belongs to, as it is now. */
export interface DeviceIdentity {
  tenant: string;
  deviceId: string;
  deviceNo: number;
  channel: string;
  keyHash: string;
  /** The newest that it was given: the first number of its facts' sequence. */
  epoch: number;
  /** Version of the event that changed last what is kept of it; 0: nothing is. */
  keptVersion: number;
}

interface DeviceRow {
  device_id: string;
  device_no: number;
  channel: string;
  label: string | null;
  status: DeviceView['status'];
  kind: DeviceView['kind'];
  label_key: string | null;
  epoch: number;
  enrolled_at: Date;
  expires_at: Date;
  version: number;
  kept_version: number;
}

/** Whose key it is by its certificate. */
export interface DeviceKey extends RowName {
  keyHash: string;
}

/** What the rows say of a device's key. */
interface KnownKey {
  keyHash: string;
  /** None when the key was renewed, replaced or revoked. */
  identity: DeviceIdentity | undefined;
}

/** About 0.5 KB each. */
const KNOWN_AT_MOST = 100_000;

@Injectable()
export class Devices {
  private readonly keys: KnownRows<KnownKey>;

  constructor(@Inject(Databases) private readonly databases: Databases) {
    const tables = ['ops.device', 'ops.device_key'];
    this.keys = new KnownRows({ database: databases.tail, tables, atMost: KNOWN_AT_MOST });
  }

  /** The device whose key it is, unless the key was renewed, replaced or revoked: by another process a second ago at most. */
  async byKey(key: DeviceKey): Promise<DeviceIdentity | undefined> {
    const known = this.knownByKey(key);
    if (known !== undefined) return known === 'nobody' ? undefined : known;
    const { identity } = await this.keys.read(key, () => this.find(key));
    return identity;
  }

  /** The same where nobody has to be asked; undefined where the database has to. */
  knownByKey(key: DeviceKey): DeviceIdentity | 'nobody' | undefined {
    const known = this.keys.get(key);
    return known?.keyHash === key.keyHash ? (known.identity ?? 'nobody') : undefined;
  }

  /** To be called when a change of its keys has been committed: it counts at once in this process. */
  keysChanged(device: RowName): void {
    this.keys.changed(device);
  }

  /** @throws IdentityError `device.unknown`, also for another tenant's device */
  async get(tenant: string, deviceId: string): Promise<DeviceView> {
    const [row] = await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query<DeviceRow>('select * from ops.device where tenant = $1 and device_id = $2', [tenant, deviceId]),
    );
    if (row === undefined) throw new IdentityError('device.unknown', { deviceId });
    return viewOfDevice(row);
  }

  /**
   * In the order of `by`; one more than `limit`, so that a page knows whether there is another.
   * @param after key of the last row before
   */
  async search(
    tenant: string,
    { by, filter, after, limit }: { by: SearchOrder; filter: DeviceFilter; after: readonly unknown[]; limit: number },
  ): Promise<DeviceView[]> {
    const { where, values } = whereOf(tenant, filter, by);
    const key = KEYS[by];
    const places = after.map((_, i) => placeOf(by, values.length + i + 1, i)).join(', ');
    const from = after.length === 0 ? '' : `and (${key}) > (${places})`;
    const limited = `limit $${values.length + after.length + 1}`;
    const rows = await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query<DeviceRow>(`select * from ops.device where ${where} ${from} order by ${key} ${limited}`, [
        ...values,
        ...after,
        limit + 1,
      ]),
    );
    return rows.map(viewOfDevice);
  }

  /** How many there are of each sort. */
  facets(tenant: string, filter: DeviceFilter): Promise<DeviceFacet[]> {
    const count = async (by: SearchOrder): Promise<DeviceFacet[]> => {
      const { where, values } = whereOf(tenant, filter, by);
      return this.databases.actor.inTenant(tenant, (tx) =>
        tx.query<DeviceFacet>(
          `select channel, status, kind, count(*)::int as devices from ops.device where ${where}
           group by channel, status, kind order by channel, status, kind`,
          values,
        ),
      );
    };
    return count(filter.q === undefined ? 'number' : isIdPrefix(filter.q) ? 'id' : 'label');
  }

  private async find({ tenant, deviceId, keyHash }: DeviceKey): Promise<KnownKey> {
    const [row] = await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query<DeviceRow>(
        `select d.* from ops.device_key k join ops.device d using (tenant, device_id)
         where k.tenant = $1 and k.key_hash = $2 and k.device_id = $3 and k.retired_at is null and d.status = 'active'`,
        [tenant, keyHash, deviceId],
      ),
    );
    if (row === undefined) return { keyHash, identity: undefined };
    const { device_no: deviceNo, channel, epoch, kept_version: keptVersion } = row;
    return { keyHash, identity: { tenant, deviceId, deviceNo, channel, keyHash, epoch, keptVersion } };
  }
}

const viewOfDevice = (row: DeviceRow): DeviceView => ({
  id: row.device_id,
  deviceNo: row.device_no,
  channel: row.channel,
  label: row.label,
  status: row.status,
  kind: row.kind,
  epoch: row.epoch,
  enrolledAt: row.enrolled_at.toISOString(),
  expiresAt: row.expires_at.toISOString(),
  version: row.version,
});

/** What a list is ordered by, and what `q` is compared with: each is a walk of an index. */
export type SearchOrder = 'number' | 'label' | 'id';
const KEYS: Readonly<Record<SearchOrder, string>> = {
  number: 'device_no',
  label: 'label_key, device_id', // `after` comes as the label itself
  id: 'device_id',
};

/** What is lower case is for Postgres to say, which made the column. */
const placeOf = (by: SearchOrder, n: number, i: number): string =>
  by === 'label' && i === 0 ? `lower($${n}::text)` : `$${n}`;

/** Sorts behind every text that begins alike, by bytes. */
const LAST = '\u{10ffff}';

export const isIdPrefix = (q: string): boolean => q.replaceAll('-', '').length >= 4 && /^[0-9a-f-]{4,36}$/i.test(q);

/** The first and the last id that begin so. */
function idsOf(q: string): [string, string] {
  const digits = q.replaceAll('-', '').toLowerCase().slice(0, 32);
  return [digits.padEnd(32, '0'), digits.padEnd(32, 'f')];
}

function whereOf(
  tenant: string,
  { q = '', channel, status, kind }: DeviceFilter,
  by: SearchOrder,
): { where: string; values: unknown[] } {
  const values: unknown[] = [tenant];
  const place = (value: unknown): string => `$${values.push(value)}`;
  const conditions = ['tenant = $1'];
  if (by === 'label') {
    const text = `lower(${place(q)}::text)`;
    conditions.push(`label_key >= ${text}`, `label_key < ${text} || '${LAST}'`);
  }
  if (by === 'id') {
    const [first, last] = idsOf(q);
    conditions.push(`device_id >= ${place(first)}`, `device_id <= ${place(last)}`);
  }
  for (const [column, value] of Object.entries({ channel, status, kind }))
    if (value !== undefined) conditions.push(`${column} = ${place(value)}`);
  return { where: conditions.join(' and '), values };
}
