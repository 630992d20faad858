import type { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type CanActivate, createParamDecorator, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { type Clock, Recent } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { type DeviceCertificate, readDeviceCertificate } from '../certificates.js';
import { IdentityError } from '../errors.js';
import { CertificateAuthority } from './authority.js';
import { type DeviceIdentity, Devices } from './devices.js';

type Shown = Omit<DeviceCertificate, 'publicKey'>;
type Found = Shown | 'none' | 'foreign';

/** Certificates that were found to be of our CA, about 0.5 KB each: a device that comes again costs no second look at the signature. */
const READ_AT_MOST = 50_000;

/**
 * Finds the device behind a connection. TLS has proved the key; that our CA signed the certificate is checked once,
 * and that key and certificate are still good at every request. Headers say nothing here: nobody may stand
 * between the device and us and speak for it.
 */
@Injectable()
export class DeviceConnections {
  private readonly found = new WeakMap<object, Found>();
  private readonly read = new Recent<string, Shown>(READ_AT_MOST);
  private ca: X509Certificate | undefined;

  constructor(
    @Inject(CertificateAuthority) private readonly authority: CertificateAuthority,
    @Inject(Devices) private readonly devices: Devices,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** @returns undefined without a certificate, or with one that is not (or no more) good: for routes that need none */
  async optionalDevice({ raw }: Pick<FastifyRequest, 'raw'>): Promise<DeviceIdentity | undefined> {
    const found = await this.certificateOf(raw.socket);
    return typeof found === 'string' ? undefined : this.identityOf(found);
  }

  /** The same where nobody has to be asked; undefined where somebody has to. */
  knownDevice(socket: Socket): DeviceIdentity | 'nobody' | undefined {
    const found = this.found.get(socket) ?? this.lookAt(socket);
    if (found === undefined) return undefined;
    if (typeof found === 'string' || this.clock.now() > found.notAfter) return 'nobody';
    return this.devices.knownByKey(found);
  }

  /** @throws IdentityError `auth.certificate-required`, `auth.certificate-refused` */
  async requireDevice({ raw }: Pick<FastifyRequest, 'raw'>): Promise<DeviceIdentity> {
    const found = await this.certificateOf(raw.socket);
    if (found === 'none')
      throw new IdentityError('auth.certificate-required', {}, 'this route needs a client certificate');
    const identity = found === 'foreign' ? undefined : await this.identityOf(found);
    if (identity === undefined)
      throw new IdentityError('auth.certificate-refused', {}, 'not a certificate of ours, expired, renewed or revoked');
    return identity;
  }

  private async identityOf(certificate: Shown): Promise<DeviceIdentity | undefined> {
    return this.clock.now() > certificate.notAfter ? undefined : this.devices.byKey(certificate);
  }

  private async certificateOf(socket: Socket): Promise<Found> {
    this.ca ??= await this.authority.deviceCa();
    return this.found.get(socket) ?? this.lookAt(socket)!;
  }

  /** @returns undefined while our CA is not known yet */
  private lookAt(socket: Socket): Found | undefined {
    const shown = (socket as Partial<TLSSocket>).getPeerX509Certificate?.();
    const found = shown === undefined ? 'none' : this.readOnce(shown);
    if (found !== undefined) this.found.set(socket, found);
    return found;
  }

  private readOnce(shown: X509Certificate): Shown | 'foreign' | undefined {
    const { fingerprint256 } = shown;
    const known = this.read.get(fingerprint256);
    if (known !== undefined || this.ca === undefined) return known;
    const read = readDeviceCertificate(shown, this.ca);
    if (read === undefined) return 'foreign';
    const { tenant, deviceId, keyHash, notAfter } = read;
    const kept = { tenant, deviceId, keyHash, notAfter };
    this.read.set(fingerprint256, kept);
    return kept;
  }
}

const identities = new WeakMap<object, DeviceIdentity>();

/** For a guard that knows devices by other credentials. */
export const setDevice = ({ raw }: Pick<FastifyRequest, 'raw'>, identity: DeviceIdentity): void =>
  void identities.set(raw, identity);

/** Lets devices in whose key is good now. */
@Injectable()
export class DeviceGuard implements CanActivate {
  constructor(@Inject(DeviceConnections) private readonly connections: DeviceConnections) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    setDevice(request, await this.connections.requireDevice(request));
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
