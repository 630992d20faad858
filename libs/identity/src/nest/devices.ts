import { Inject, Injectable } from '@nestjs/common';
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
}

/** How long a key's answer may be kept: the longest that a revocation by another process takes here. */
const KEPT_MS = 1_000;
const KEPT_AT_MOST = 50_000;

@Injectable()
export class Devices {
  private kept = new Map<string, { identity: DeviceIdentity | undefined; until: number }>();
  /** Grows with every change, so that an answer read before it is not kept after it. */
  private changes = 0;

  constructor(@Inject(Databases) private readonly databases: Databases) {}

  /** The device whose key it is, unless the key was renewed, replaced or revoked. */
  async byKeyHash(tenant: string, keyHash: string): Promise<DeviceIdentity | undefined> {
    const key = `${tenant}/${keyHash}`;
    const known = this.kept.get(key);
    // Not the port's clock: this is about how old an answer is, which a test's clock does not change.
    if (known !== undefined && performance.now() < known.until) return known.identity;
    const before = this.changes;
    const until = performance.now() + KEPT_MS;
    const identity = await this.find(tenant, keyHash);
    if (this.changes === before) this.keep(key, { identity, until });
    return identity;
  }

  /** To be called when a change of keys has been committed: counts at once in this process. */
  keysChanged(): void {
    this.changes += 1;
    this.kept.clear();
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

  private async find(tenant: string, keyHash: string): Promise<DeviceIdentity | undefined> {
    const [row] = await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query<DeviceRow>(
        `select d.* from ops.device_key k join ops.device d using (tenant, device_id)
         where k.tenant = $1 and k.key_hash = $2 and k.retired_at is null and d.status = 'active'`,
        [tenant, keyHash],
      ),
    );
    if (row === undefined) return undefined;
    const { device_id: deviceId, device_no: deviceNo, channel, epoch } = row;
    return { tenant, deviceId, deviceNo, channel, keyHash, epoch };
  }

  private keep(key: string, entry: { identity: DeviceIdentity | undefined; until: number }): void {
    if (this.kept.size >= KEPT_AT_MOST) this.kept.clear();
    this.kept.set(key, entry);
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
