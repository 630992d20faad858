import { X509Certificate } from 'node:crypto';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { Keyring, type Tx } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import { type Clock, inEarnest } from '#runtime/index.js';
import { CLOCK, countedGauge } from '#runtime/nest/runtime.module.js';
import {
  createAuthority,
  fingerprintOf,
  issueDeviceCertificate,
  issueServerCertificate,
  type KeyAndCertificate,
  privateKeyPem,
} from '../certificates.js';
import { INSTALLATION } from '../tenant.js';

type Kind = 'device' | 'server';

/** What a TLS listener of the handset's port presents, and whose client certificates it asks for. PEM. */
export interface ServerTls {
  key: string;
  cert: string;
  /** Issues devices' certificates. */
  ca: string;
  /** sha-256 of the CA that issued `cert`, hex: what an enrol line pins. */
  fingerprint: string;
}

/** The installation's two CAs, made at the first use: one signs devices, the other servers. Private keys stay in the keyring. */
@Injectable()
export class CertificateAuthority implements OnModuleInit {
  private parsed?: { pem: string; ca: X509Certificate };
  private readonly loaded = new Map<Kind, Promise<KeyAndCertificate>>();
  /** What this process presents, PEM. */
  private presented: string | undefined;

  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(Keyring) private readonly keyring: Keyring,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    const help = 'Seconds until a certificate that this process presents, or issues by, expires; negative when it has.';
    countedGauge({ name: 'muster_certificate_expiry_seconds', help, labelNames: ['certificate'] }, async (set) => {
      for (const [certificate, pem] of await this.certificates())
        set({ certificate }, (Date.parse(new X509Certificate(pem).validTo) - this.clock.now()) / 1_000);
    });
  }

  /** Issues devices' certificates. */
  async deviceCa(): Promise<X509Certificate> {
    const { certificate } = await this.authority('device');
    if (this.parsed?.pem !== certificate) this.parsed = { pem: certificate, ca: new X509Certificate(certificate) };
    return this.parsed.ca;
  }

  /** Issues servers' certificates; what a handset trusts. PEM. */
  async serverCa(): Promise<string> {
    return (await this.authority('server')).certificate;
  }

  /** A new key and certificate for the names under which the server is reached, 397 days. */
  async serverTls(hosts: readonly string[]): Promise<ServerTls> {
    const server = await this.authority('server');
    const issued = await issueServerCertificate(server, hosts, this.clock.now());
    this.presented = issued.certificate;
    return {
      key: privateKeyPem(issued.privateKey),
      cert: `${issued.certificate}\n${server.certificate}\n`,
      ca: (await this.authority('device')).certificate,
      fingerprint: fingerprintOf(server.certificate),
    };
  }

  /** @returns PEM, without its issuer: that is a trust anchor which we have, and each handshake would pay for it (RFC 8446 §4.4.2) */
  async certify(
    device: { tenant: string; deviceId: string; publicKey: Uint8Array },
    expiresAt: number,
  ): Promise<string> {
    const authority = await this.authority('device');
    return issueDeviceCertificate(authority, device, { now: this.clock.now(), expiresAt });
  }

  /** Those that this process has used so far. */
  private async certificates(): Promise<Map<string, string>> {
    const known = new Map(this.presented === undefined ? [] : [['server', this.presented]]);
    for (const [kind, authority] of this.loaded) known.set(`${kind}-ca`, (await authority).certificate);
    return known;
  }

  private authority(kind: Kind): Promise<KeyAndCertificate> {
    const loaded = this.loaded.get(kind) ?? inEarnest(() => this.load(kind));
    this.loaded.set(kind, loaded);
    loaded.catch(() => this.loaded.delete(kind)); // the next use tries again
    return loaded;
  }

  /** Instances that start together wait for each other: the first makes it. */
  private load(kind: Kind): Promise<KeyAndCertificate> {
    return this.databases.actor.inTenant(INSTALLATION, async (tx) => {
      await tx.query(`select pg_advisory_xact_lock(hashtext('identity.authority'))`);
      const [row] = await tx.query<{ certificate: string }>('select certificate from ops.authority where kind = $1', [
        kind,
      ]);
      if (row === undefined) return this.create(tx, kind);
      const privateKey = await this.keyring.secret(secretOf(kind), tx);
      if (privateKey === undefined) throw new Error(`the keyring has no key of the ${kind} CA`);
      return { certificate: row.certificate, privateKey };
    });
  }

  private async create(tx: Tx, kind: Kind): Promise<KeyAndCertificate> {
    const now = this.clock.now();
    const made = await createAuthority(`Muster ${kind} CA`, now);
    await this.keyring.putSecret(tx, secretOf(kind), made.privateKey);
    await tx.query('insert into ops.authority (kind, certificate, created_at) values ($1, $2, $3)', [
      kind,
      made.certificate,
      new Date(now),
    ]);
    return made;
  }
}

const secretOf = (kind: Kind) => ({ tenant: INSTALLATION, purpose: 'ca', id: kind });
