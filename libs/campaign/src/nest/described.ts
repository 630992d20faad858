import { createHmac, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { Keyring, type RowName } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import type { DeviceFactByServer } from '../events.js';
import type { GatesTold } from '../server-side.js';

export type Told = Extract<DeviceFactByServer, { type: 'HandsetDescribed' }>['data'];

interface Row {
  fingerprint: Buffer;
  gates: GatesTold;
}

/** What was recorded last of a device that told what it is. */
export interface Recorded {
  gates: GatesTold;
  /** Whether this is what it told. */
  isOf(told: Told): boolean;
}

/** The rows of `ops.described`: they save the log the repetitions, and losing one costs no more than one. */
@Injectable()
export class Described {
  private readonly key: Uint8Array;

  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(Keyring) keyring: Keyring,
  ) {
    this.key = keyring.derive('described', 32);
  }

  async of({ tenant, deviceId }: RowName): Promise<Recorded> {
    const [row] = await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query<Row>('select fingerprint, gates from ops.described where tenant = $1 and device_id = $2', [
        tenant,
        deviceId,
      ]),
    );
    if (row === undefined) return { gates: {}, isOf: () => false };
    const { fingerprint, gates } = row;
    return { gates, isOf: (told) => timingSafeEqual(this.fingerprintOf(deviceId, told), fingerprint) };
  }

  /** Nothing here holds a value, and nothing needs to be here of a device that is forgotten. */
  async forget({ tenant, deviceId }: RowName): Promise<void> {
    await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query('delete from ops.described where tenant = $1 and device_id = $2', [tenant, deviceId]),
    );
  }

  async keep({ tenant, deviceId }: RowName, told: Told, gates: GatesTold): Promise<void> {
    await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query(
        `insert into ops.described (tenant, device_id, fingerprint, gates) values ($1, $2, $3, $4)
         on conflict (tenant, device_id) do update
         set fingerprint = excluded.fingerprint, gates = excluded.gates`,
        [tenant, deviceId, this.fingerprintOf(deviceId, told), JSON.stringify(gates)],
      ),
    );
  }

  /** By a key that is in no dump of the database: few possible values would be found by trying. Names in order: told otherwise it is the same. */
  private fingerprintOf(deviceId: string, { schemaVersion, zone, attributes }: Told): Buffer {
    const values = Object.entries(attributes ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
    return createHmac('sha256', this.key)
      .update(JSON.stringify([deviceId, schemaVersion, zone, values]))
      .digest();
  }
}
