import { Inject, Injectable } from '@nestjs/common';
import { KnownRows, type RowName } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import { IdentityError } from '../errors.js';
import type { DeviceView } from './views.dto.js';

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

  /** In the order of their numbers; one more than `limit`, so that a page knows whether there is another. */
  async list(tenant: string, after: number, limit: number): Promise<DeviceView[]> {
    const rows = await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query<DeviceRow>('select * from ops.device where tenant = $1 and device_no > $2 order by device_no limit $3', [
        tenant,
        after,
        limit + 1,
      ]),
    );
    return rows.map(viewOfDevice);
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
  epoch: row.epoch,
  enrolledAt: row.enrolled_at.toISOString(),
  expiresAt: row.expires_at.toISOString(),
  version: row.version,
});
