import { Inject, Injectable } from '@nestjs/common';
import { EventLogError, type EventContext, Keyring, PostgresLog, type Tx } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import { type Clock, impossible, newId } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { IdentityError } from '../errors.js';
import type { HandsetEvent } from '../events.js';
import { handset, type HandsetCommand, type HandsetState } from '../handset.js';
import { controllerHash, nameController } from './controller.rows.js';
import { Devices } from './devices.js';
import type { DeviceKind } from './views.dto.js';

export interface Decided {
  state: HandsetState;
  version: number;
  events: HandsetEvent[];
}

/** Makes the command inside the transaction, for what has to be taken or compared there. */
export type CommandFor = (tx: Tx, before: { state: HandsetState; version: number }) => Promise<HandsetCommand>;

const ATTEMPTS = 5;

/**
 * Device identities: the stream decides, and rows that are changed in the transaction of its append answer at every
 * request which keys are good.
 */
@Injectable()
export class Handsets {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(PostgresLog) private readonly log: PostgresLog,
    @Inject(Keyring) private readonly keyring: Keyring,
    @Inject(Devices) private readonly devices: Devices,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Decides and records; when another writer was first, decides again. */
  async run(context: EventContext, deviceId: string, commandFor: CommandFor): Promise<Decided> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const decided = await this.runOnce(context, deviceId, commandFor);
        if (decided.events.some(({ type }) => type !== 'RulesDelivered'))
          this.devices.keysChanged({ tenant: context.tenant, deviceId });
        return decided;
      } catch (error) {
        const isOvertaken = error instanceof EventLogError && error.code === 'log.version-conflict';
        if (!isOvertaken || attempt === ATTEMPTS) throw error;
      }
    }
  }

  private async runOnce(context: EventContext, deviceId: string, commandFor: CommandFor): Promise<Decided> {
    const { tenant } = context;
    const history = await this.log.readStream<HandsetEvent>('muster.handset', tenant, deviceId);
    const before = history.reduce<HandsetState>(
      (state, { type, data }) => handset.evolve(state, { type, data } as HandsetEvent),
      handset.initial,
    );
    const version = history.at(-1)?.version ?? 0;
    return this.databases.actor.inTenant(tenant, async (tx) => {
      await requireFresh(tx, tenant, deviceId, version);
      const events = handset.decide(before, await commandFor(tx, { state: before, version }));
      const state = events.reduce(handset.evolve, before);
      const decided = { state, version: version + events.length, events };
      if (events.length === 0) return decided;
      for (const [i, event] of events.entries()) await this.mirror(tx, tenant, event, version + i + 1);
      await tx.query('update ops.device set version = $3 where tenant = $1 and device_id = $2', [
        tenant,
        deviceId,
        decided.version,
      ]);
      // An id of its own: that a command was given before is for the decider to see, and an old key may come again.
      const once = { ...context, commandId: newId(), correlationId: context.correlationId ?? context.commandId };
      await this.log.appendIn(tx, 'muster.handset', { subject: deviceId, expectedVersion: version }, events, once);
      return decided;
    });
  }

  private async mirror(tx: Tx, tenant: string, event: HandsetEvent, version: number): Promise<void> {
    switch (event.type) {
      case 'HandsetEnrolled': {
        const { deviceId, deviceNo, channel, label, epoch, expiresAt, keyHash, controllerId } = event.data;
        await tx.query(
          `insert into ops.device
             (tenant, device_id, device_no, channel, label, status, epoch, enrolled_at, expires_at, version, kind)
           values ($1, $2, $3, $4, $5, 'active', $6, $7, $8, 1, $9)`,
          [tenant, deviceId, deviceNo, channel, label, epoch, this.now(), expiresAt, kindOf(controllerId)],
        );
        if (controllerId)
          await nameController(tx, tenant, deviceId, controllerHash(this.keyring, tenant, controllerId));
        return addKey(tx, tenant, deviceId, keyHash);
      }
      case 'HandsetRenewed': {
        const { deviceId, keyHash, replacesKeyHash, expiresAt } = event.data;
        await tx.query('update ops.device set expires_at = $3 where tenant = $1 and device_id = $2', [
          tenant,
          deviceId,
          expiresAt,
        ]);
        if (keyHash === replacesKeyHash) return;
        await this.retireKeys(tx, tenant, deviceId);
        return addKey(tx, tenant, deviceId, keyHash);
      }
      case 'HandsetReplaced': {
        const { deviceId, keyHash, epoch, expiresAt } = event.data;
        await tx.query(
          `update ops.device set status = 'active', epoch = $3, expires_at = $4 where tenant = $1 and device_id = $2`,
          [tenant, deviceId, epoch, expiresAt],
        );
        await this.retireKeys(tx, tenant, deviceId);
        return addKey(tx, tenant, deviceId, keyHash);
      }
      case 'HandsetRevoked': {
        const { deviceId } = event.data;
        await tx.query(`update ops.device set status = 'revoked' where tenant = $1 and device_id = $2`, [
          tenant,
          deviceId,
        ]);
        return this.retireKeys(tx, tenant, deviceId);
      }
      case 'SubjectForgotten':
        return this.forget(tx, tenant, event.data.deviceId);
      case 'RulesDelivered':
        return;
      case 'AttributesKept': {
        const { deviceId } = event.data;
        await tx.query(`update ops.device set kept_version = $3 where tenant = $1 and device_id = $2`, [
          tenant,
          deviceId,
          version,
        ]);
        return;
      }
      default:
        return impossible(event);
    }
  }

  /** The label goes, and the key that sealed what the log holds of the subject: all in the transaction that says so. */
  private async forget(tx: Tx, tenant: string, deviceId: string): Promise<void> {
    await tx.query(`update ops.device set status = 'forgotten', label = null where tenant = $1 and device_id = $2`, [
      tenant,
      deviceId,
    ]);
    await this.keyring.forget(tenant, deviceId, tx);
  }

  private async retireKeys(tx: Tx, tenant: string, deviceId: string): Promise<void> {
    await tx.query(
      'update ops.device_key set retired_at = $3 where tenant = $1 and device_id = $2 and retired_at is null',
      [tenant, deviceId, this.now()],
    );
  }

  private now(): Date {
    return new Date(this.clock.now());
  }
}

/** A client of hawkBit names itself. */
const kindOf = (controllerId: string | null | undefined): DeviceKind => (controllerId ? 'hawkbit' : 'handset');

/** Locks the device's row before anything else. @throws EventLogError `log.version-conflict` when the history read is old */
async function requireFresh(tx: Tx, tenant: string, deviceId: string, version: number): Promise<void> {
  const [row] = await tx.query<{ version: number }>(
    'select version from ops.device where tenant = $1 and device_id = $2 for update',
    [tenant, deviceId],
  );
  if (row !== undefined && row.version > version) throw new EventLogError('log.version-conflict', { deviceId });
}

/** A key is used once: not by two devices, and not again after it was retired. @throws IdentityError `device.key-taken` */
async function addKey(tx: Tx, tenant: string, deviceId: string, keyHash: string): Promise<void> {
  const added = await tx.query(
    `insert into ops.device_key (tenant, key_hash, device_id) values ($1, $2, $3)
     on conflict (tenant, key_hash) do nothing returning key_hash`,
    [tenant, keyHash, deviceId],
  );
  if (added.length > 0) return;
  const message = 'the key was used before: make a new one';
  throw new IdentityError('device.key-taken', {}, message, [{ pointer: '/csr', message }]);
}
