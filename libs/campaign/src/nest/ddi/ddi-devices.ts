import { Inject, Injectable } from '@nestjs/common';
import { Keyring, type RowName } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import type { AutoConfirm } from '../../ddi/read-body.js';
import type { ToldAttributes } from '../../ddi/told-attributes.js';
import { openOf, openWith, sealWith } from './sealed.js';

/** What is kept of a hawkBit client. */
export interface KeptDevice {
  told: ToldAttributes;
  /** Confirms for its user, since then; null: its user is asked. */
  autoConfirm: (AutoConfirm & { activatedAt: number }) | null;
  /** Its next poll asks it to tell what it is. */
  asks: boolean;
}

type Sealed = Omit<KeptDevice, 'asks'>;
interface DeviceRow {
  kept: Buffer | null;
  asks: boolean;
}
const DEVICE = 'select kept, asks from ops.ddi_device where tenant = $1 and device_id = $2';

/** What is kept of hawkBit clients themselves, sealed by their own keys. */
@Injectable()
export class DdiDevices {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(Keyring) private readonly keyring: Keyring,
  ) {}

  async get(device: RowName): Promise<KeptDevice> {
    const { tenant, deviceId } = device;
    const [row] = await this.databases.actor.inTenant(tenant, (tx) => tx.query<DeviceRow>(DEVICE, [tenant, deviceId]));
    const kept = await openOf<Sealed>(this.keyring, device, 'ddi_device', row?.kept);
    return { told: {}, autoConfirm: null, ...kept, asks: row?.asks ?? true };
  }

  /** Changes what is kept of it; two changes at once follow one another. */
  async change(device: RowName, to: (kept: KeptDevice) => KeptDevice): Promise<void> {
    const { tenant, deviceId } = device;
    await this.databases.actor.inTenant(tenant, async (tx) => {
      await tx.query(
        'insert into ops.ddi_device (tenant, device_id, asks) values ($1, $2, true) on conflict do nothing',
        [tenant, deviceId],
      );
      const [row] = await tx.query<DeviceRow>(`${DEVICE} for update`, [tenant, deviceId]);
      const key = (await this.keyring.sealingKeys(tx, tenant, [deviceId])).get(deviceId)!;
      const before = row!.kept ? openWith<Sealed>(key, row!.kept, `ddi_device ${deviceId}`) : undefined;
      const { asks, ...kept } = to({ told: {}, autoConfirm: null, ...before, asks: row!.asks });
      await tx.query('update ops.ddi_device set kept = $3, asks = $4 where tenant = $1 and device_id = $2', [
        tenant,
        deviceId,
        sealWith(key, kept, `ddi_device ${deviceId}`),
        asks,
      ]);
    });
  }

  async forget({ tenant, deviceId }: RowName): Promise<void> {
    await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query('delete from ops.ddi_device where tenant = $1 and device_id = $2', [tenant, deviceId]),
    );
  }
}
