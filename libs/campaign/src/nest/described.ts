import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { RowName } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import type { DeviceFactByServer } from '../events.js';
import type { GatesTold } from '../server-side.js';

export type Told = Extract<DeviceFactByServer, { type: 'HandsetDescribed' }>['data'];

interface Row {
  salt: Buffer;
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
  constructor(@Inject(Databases) private readonly databases: Databases) {}

  async of({ tenant, deviceId }: RowName): Promise<Recorded> {
    const [row] = await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query<Row>('select salt, fingerprint, gates from ops.described where tenant = $1 and device_id = $2', [
        tenant,
        deviceId,
      ]),
    );
    if (row === undefined) return { gates: {}, isOf: () => false };
    const { salt, fingerprint, gates } = row;
    return { gates, isOf: (told) => timingSafeEqual(fingerprintOf(salt, told), fingerprint) };
  }

  /** Nothing here holds a value, and nothing needs to be here of a device that is forgotten. */
  async forget({ tenant, deviceId }: RowName): Promise<void> {
    await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query('delete from ops.described where tenant = $1 and device_id = $2', [tenant, deviceId]),
    );
  }

  async keep({ tenant, deviceId }: RowName, told: Told, gates: GatesTold): Promise<void> {
    const salt = randomBytes(16);
    await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query(
        `insert into ops.described (tenant, device_id, salt, fingerprint, gates) values ($1, $2, $3, $4, $5)
         on conflict (tenant, device_id) do update
         set salt = excluded.salt, fingerprint = excluded.fingerprint, gates = excluded.gates`,
        [tenant, deviceId, salt, fingerprintOf(salt, told), JSON.stringify(gates)],
      ),
    );
  }
}

/** Names in order: the same data told otherwise is the same. */
function fingerprintOf(salt: Buffer, { schemaVersion, zone, attributes }: Told): Buffer {
  const values = Object.entries(attributes ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(salt)
    .update(JSON.stringify([schemaVersion, zone, values]))
    .digest();
}
