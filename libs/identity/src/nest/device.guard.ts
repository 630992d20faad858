import type { TLSSocket } from 'node:tls';
import { type CanActivate, createParamDecorator, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Clock } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { type DeviceCertificate, readDeviceCertificate } from '../certificates.js';
import { IdentityError } from '../errors.js';
import { CertificateAuthority } from './authority.js';
import { type DeviceIdentity, Devices } from './devices.js';

/**
 * Finds the device behind a connection. TLS has proved the key; that our CA signed the certificate is checked once a
 * connection, and that key and certificate are still good at every request. Headers say nothing here: nobody may stand
 * between the device and us and speak for it.
 */
@Injectable()
export class DeviceConnections {
  private readonly certificates = new WeakMap<object, DeviceCertificate | 'none' | 'foreign'>();

  constructor(
    @Inject(CertificateAuthority) private readonly authority: CertificateAuthority,
    @Inject(Devices) private readonly devices: Devices,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** @returns undefined without a certificate, or with one that is not (or no more) good: for routes that need none */
  async optionalDevice(request: Pick<FastifyRequest, 'raw'>): Promise<DeviceIdentity | undefined> {
    const certificate = await this.certificateOf(request.raw.socket as Partial<TLSSocket>);
    return typeof certificate === 'string' ? undefined : this.identityOf(certificate);
  }

  /** @throws IdentityError `auth.certificate-required`, `auth.certificate-refused` */
  async requireDevice(request: Pick<FastifyRequest, 'raw'>): Promise<DeviceIdentity> {
    const certificate = await this.certificateOf(request.raw.socket as Partial<TLSSocket>);
    if (certificate === 'none')
      throw new IdentityError('auth.certificate-required', {}, 'this route needs a client certificate');
    const identity = certificate === 'foreign' ? undefined : await this.identityOf(certificate);
    if (identity === undefined)
      throw new IdentityError('auth.certificate-refused', {}, 'not a certificate of ours, expired, renewed or revoked');
    return identity;
  }

  private async identityOf({ tenant, deviceId, keyHash, notAfter }: DeviceCertificate) {
    if (this.clock.now() > notAfter) return undefined;
    const identity = await this.devices.byKeyHash(tenant, keyHash);
    return identity?.deviceId === deviceId ? identity : undefined;
  }

  private async certificateOf(socket: Partial<TLSSocket>): Promise<DeviceCertificate | 'none' | 'foreign'> {
    const known = this.certificates.get(socket);
    if (known !== undefined) return known;
    const raw = socket.getPeerCertificate?.()?.raw;
    const read =
      raw === undefined ? 'none' : (readDeviceCertificate(raw, await this.authority.deviceCa()) ?? 'foreign');
    this.certificates.set(socket, read);
    return read;
  }
}

const identities = new WeakMap<object, DeviceIdentity>();

/** Lets devices in whose key is good now. */
@Injectable()
export class DeviceGuard implements CanActivate {
  constructor(@Inject(DeviceConnections) private readonly connections: DeviceConnections) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    identities.set(request.raw, await this.connections.requireDevice(request));
    return true;
  }
}

/** `@Device() device: DeviceIdentity`, on routes behind a DeviceGuard. */
export const Device = createParamDecorator((_: unknown, context: ExecutionContext): DeviceIdentity => {
  const { raw } = context.switchToHttp().getRequest<FastifyRequest>();
  const identity = identities.get(raw);
  if (identity === undefined) throw new IdentityError('auth.certificate-required');
  return identity;
});
