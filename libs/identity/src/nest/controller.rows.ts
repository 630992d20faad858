import { createHmac } from 'node:crypto';
import type { Keyring, Tx } from '#event-log/index.js';
import { IdentityError } from '../errors.js';

/** What is kept of a controller id: serial numbers stand in them, and a forgotten one must stay refused. */
export const controllerHash = (keyring: Pick<Keyring, 'derive'>, tenant: string, controllerId: string): Buffer =>
  createHmac('sha256', keyring.derive('controller', 32)).update(`${tenant}/${controllerId}`).digest();

/** From a device that was forgotten the name passes on to the new one; from any other it does not. @throws IdentityError `device.exists` */
export async function nameController(tx: Tx, tenant: string, deviceId: string, hash: Buffer): Promise<void> {
  const named = await tx.query(
    `insert into ops.controller as c (tenant, controller_hash, device_id) values ($1, $2, $3)
     on conflict (tenant, controller_hash) do update set device_id = excluded.device_id
     where exists (select 1 from ops.device d
       where d.tenant = c.tenant and d.device_id = c.device_id and d.status = 'forgotten')
     returning device_id`,
    [tenant, hash, deviceId],
  );
  if (named.length > 0) return;
  const message = 'a device has this controller id';
  throw new IdentityError('device.exists', {}, message, [{ pointer: '/controllerId', message }]);
}
