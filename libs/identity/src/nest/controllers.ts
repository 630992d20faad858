import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Keyring, type Tx } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import { type Clock, newId } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { newCredential, parseCredential } from '../credentials.js';
import { IdentityError } from '../errors.js';
import { isTenantId } from '../tenant.js';
import { newCommand } from './caller.js';
import { controllerHash } from './controller.rows.js';
import { DeviceConnections } from './device.guard.js';
import type { DeviceIdentity } from './devices.js';
import { nextDeviceNo } from './enrol.handler.js';
import { Handsets } from './handsets.js';
import { CONTROLLER_ID } from './identity.dto.js';

/** A target token is good until it is replaced, or its device revoked. */
export const NEVER = '9999-12-31T23:59:59.000Z';

/** Scheme names are case-sensitive, as they are to hawkBit. */
const CREDENTIAL = /^(TargetToken|GatewayToken) ([\x21-\x7e]{1,128})$/;

/** What each is written as. */
const KINDS: Readonly<Record<string, string>> = { TargetToken: 'target', GatewayToken: 'code' };

interface Row {
  device_id: string;
  device_no: number;
  channel: string;
  epoch: number;
  status: 'active' | 'revoked' | 'forgotten';
  key_hash: string | null;
  kept_version: number;
}

/**
 * Finds the device behind a request of a hawkBit client: by a target token, a gateway token or a certificate of ours, in the rows
 * of each request, so that what is revoked is refused at once.
 */
@Injectable()
export class Controllers {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(Keyring) private readonly keyring: Keyring,
    @Inject(Handsets) private readonly handsets: Handsets,
    @Inject(DeviceConnections) private readonly connections: DeviceConnections,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** @throws IdentityError `auth.controller-refused`: whether tenant, device or credential is unknown is not told */
  async identify(request: FastifyRequest, tenant: string, controllerId: string): Promise<DeviceIdentity> {
    const found =
      isTenantId(tenant) && CONTROLLER_ID.test(controllerId)
        ? await this.find(request, tenant, controllerId)
        : undefined;
    if (found !== undefined) return found;
    throw new IdentityError('auth.controller-refused', {}, 'no credential that is good for this device');
  }

  /** Who has this controller id now, unless it was revoked or forgotten. */
  async known(tenant: string, controllerId: string): Promise<DeviceIdentity | undefined> {
    const row = await this.row(tenant, controllerId);
    return row && identityOf(tenant, row);
  }

  private async find(request: FastifyRequest, tenant: string, controllerId: string) {
    const { authorization } = request.headers;
    if (authorization === undefined) return this.byCertificate(request, tenant, controllerId);
    const [, scheme = '', token = ''] = CREDENTIAL.exec(authorization) ?? [];
    const credential = parseCredential(token);
    // Nothing is looked up for who has not even the form of one: it must not cost more than to say so.
    if (credential?.kind !== KINDS[scheme] || credential?.tenant !== tenant) return undefined;
    const row = await this.row(tenant, controllerId);
    if (scheme === 'GatewayToken') return this.byGateway(request, { tenant, controllerId, hash: credential.hash, row });
    const identity = row && identityOf(tenant, row);
    return identity?.keyHash === credential.hash ? identity : undefined;
  }

  /** A device may call itself by its own id, too. */
  private async byCertificate(
    request: FastifyRequest,
    tenant: string,
    controllerId: string,
  ): Promise<DeviceIdentity | undefined> {
    const shown = await this.connections.optionalDevice(request);
    if (shown?.tenant !== tenant) return undefined;
    const isIts =
      shown.deviceId === controllerId || shown.deviceId === (await this.row(tenant, controllerId))?.device_id;
    return isIts ? shown : undefined;
  }

  private row(tenant: string, controllerId: string): Promise<Row | undefined> {
    return this.databases.actor.inTenant(tenant, (tx) => this.rowOf(tx, tenant, controllerId));
  }

  private async rowOf(tx: Tx, tenant: string, controllerId: string): Promise<Row | undefined> {
    const [row] = await tx.query<Row>(
      `select d.device_id, d.device_no, d.channel, d.epoch, d.status, d.kept_version, k.key_hash from ops.controller c
       join ops.device d using (tenant, device_id)
       left join ops.device_key k on k.tenant = d.tenant and k.device_id = d.device_id and k.retired_at is null
       where c.tenant = $1 and c.controller_hash = $2`,
      [tenant, controllerHash(this.keyring, tenant, controllerId)],
    );
    return row;
  }

  /** Whoever is unknown to us is enrolled ("plug and play"); whoever was revoked or forgotten stays out. */
  private async byGateway(
    request: FastifyRequest,
    { tenant, controllerId, hash, row }: { tenant: string; controllerId: string; hash: string; row: Row | undefined },
  ): Promise<DeviceIdentity | undefined> {
    const channel = await this.channelOf(tenant, hash);
    if (channel === undefined) return undefined;
    if (row !== undefined) return identityOf(tenant, row);
    try {
      await this.enrol(request, { tenant, controllerId, channel });
    } catch (error) {
      if (!(error instanceof IdentityError) || error.code !== 'device.exists') throw error; // its other first request was sooner
    }
    return this.known(tenant, controllerId);
  }

  /** Its own target token is made and shown to nobody: a person can issue another. */
  private async enrol(
    request: FastifyRequest,
    { tenant, controllerId, channel }: { tenant: string; controllerId: string; channel: string },
  ): Promise<void> {
    const deviceId = newId();
    const context = { tenant, actor: `device:${deviceId}`, ...newCommand(request) };
    const known = { deviceId, channel, label: controllerId, controllerId, expiresAt: NEVER };
    await this.handsets.run(context, deviceId, async (tx) => ({
      type: 'EnrolHandset',
      data: { ...known, keyHash: newCredential('target', tenant).hash, deviceNo: await nextDeviceNo(tx, tenant) },
    }));
  }

  /** Of a gateway token that is good now. */
  private async channelOf(tenant: string, hash: string): Promise<string | undefined> {
    const [row] = await this.databases.actor.inTenant(tenant, (tx) =>
      tx.query<{ channel: string }>(
        `select channel from ops.enrolment_code
         where tenant = $1 and code_hash = $2 and kind = 'gateway' and revoked_at is null and expires_at > $3`,
        [tenant, hash, new Date(this.clock.now())],
      ),
    );
    return row?.channel;
  }
}

function identityOf(tenant: string, row: Row): DeviceIdentity | undefined {
  const {
    device_id: deviceId,
    device_no: deviceNo,
    channel,
    epoch,
    status,
    key_hash: keyHash,
    kept_version: keptVersion,
  } = row;
  if (status !== 'active' || keyHash === null) return undefined;
  return { tenant, deviceId, deviceNo, channel, keyHash, epoch, keptVersion };
}
