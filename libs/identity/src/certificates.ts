import 'reflect-metadata'; // the X.509 library's injection needs it before it loads
import { createHash, webcrypto, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import { IdentityError, refusedField } from './errors.js';

const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;

export const DEVICE_CERTIFICATE_MS = 90 * DAY_MS;
/** How long after its expiry a certificate can still be renewed with proof of its key. */
export const RENEWAL_GRACE_MS = 400 * DAY_MS;
/** Server certificates are made at every start; this bounds a process that is never restarted. */
export const SERVER_CERTIFICATE_MS = 397 * DAY_MS;
const CA_CERTIFICATE_MS = 20 * 365 * DAY_MS;
/** Clocks of handsets are not all right: certificates begin a little before they are made. */
const BACKDATE_MS = 3_600_000;

/** A certificate (PEM) and its private key (PKCS #8, DER). The key is never logged. */
export interface KeyAndCertificate {
  certificate: string;
  privateKey: Uint8Array;
}

/** A self-signed CA, P-256, path length 0: it signs devices or servers, never another CA. */
export async function createAuthority(name: string, now: number): Promise<KeyAndCertificate> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    ...validity(now, CA_CERTIFICATE_MS),
    serialNumber: serial(),
    signingAlgorithm: P256,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: certificate.toString('pem'), privateKey: await exported(keys.privateKey) };
}

/** The public key (SubjectPublicKeyInfo, DER) that a CSR asks to certify; its signature proves the private one. */
export interface CheckedCsr {
  publicKey: Uint8Array;
  keyHash: string;
  /** sha-256 of the CSR's DER, base64url: what a renewal proof names. */
  digest: string;
}

/**
 * Reads a CSR (PEM, PKCS #10). Subject and extensions that it asks for are ignored: the identity is ours to give.
 * @throws IdentityError `csr.malformed`, `csr.key-type`, `csr.signature`
 */
export async function checkCsr(pem: string): Promise<CheckedCsr> {
  const csr = parseCsr(pem);
  if (!isP256(csr.publicKey)) throw refusedField('csr.key-type', '/csr', 'the key is not of curve P-256');
  if (!(await csr.verify().catch(() => false)))
    throw refusedField('csr.signature', '/csr', 'the signature is not by the key inside');
  const publicKey = new Uint8Array(csr.publicKey.rawData);
  const digest = createHash('sha256').update(new Uint8Array(csr.rawData)).digest('base64url');
  return { publicKey, keyHash: keyHashOf(publicKey), digest };
}

function parseCsr(pem: string): x509.Pkcs10CertificateRequest {
  try {
    return new x509.Pkcs10CertificateRequest(derOf(pem, 'CERTIFICATE REQUEST'));
  } catch {
    throw refusedField('csr.malformed', '/csr', 'not a PEM of one PKCS #10 certificate request');
  }
}

/** Name of a key everywhere: sha-256 (hex) of its SubjectPublicKeyInfo. */
export const keyHashOf = (publicKey: Uint8Array): string => createHash('sha256').update(publicKey).digest('hex');

const SAN = /^URI:urn:muster:device:([a-z][a-z0-9-]{1,30}):([0-9a-f-]{36})$/;

/** Certifies a device's key for client authentication; tenant and device id stand in the SAN, nothing personal does. */
export async function issueDeviceCertificate(
  authority: KeyAndCertificate,
  device: { tenant: string; deviceId: string; publicKey: Uint8Array },
  validity: { now: number; expiresAt: number },
): Promise<string> {
  return issue(authority, {
    subject: `CN=${device.deviceId}`,
    publicKey: device.publicKey,
    names: [{ type: 'url', value: `urn:muster:device:${device.tenant}:${device.deviceId}` }],
    purpose: x509.ExtendedKeyUsage.clientAuth,
    notBefore: new Date(validity.now - BACKDATE_MS),
    notAfter: new Date(validity.expiresAt),
  });
}

/** Makes a key and certifies it for the names and addresses under which a server is reached. */
export async function issueServerCertificate(
  authority: KeyAndCertificate,
  hosts: readonly string[],
  now: number,
): Promise<KeyAndCertificate> {
  const keys = await newKeys();
  const certificate = await issue(authority, {
    subject: 'CN=muster',
    publicKey: new Uint8Array(await webcrypto.subtle.exportKey('spki', keys.publicKey)),
    names: hosts.map((host) => ({ type: isIP(host) === 0 ? 'dns' : 'ip', value: host })),
    purpose: x509.ExtendedKeyUsage.serverAuth,
    ...validity(now, SERVER_CERTIFICATE_MS),
  });
  return { certificate, privateKey: await exported(keys.privateKey) };
}

interface Issue {
  subject: string;
  publicKey: Uint8Array;
  names: { type: 'url' | 'dns' | 'ip'; value: string }[];
  purpose: string;
  notBefore: Date;
  notAfter: Date;
}

async function issue(authority: KeyAndCertificate, wanted: Issue): Promise<string> {
  const issuer = new x509.X509Certificate(authority.certificate);
  const { subtle } = webcrypto;
  const signingKey = await subtle.importKey('pkcs8', authority.privateKey, P256, false, ['sign']);
  const publicKey = await subtle.importKey('spki', wanted.publicKey, P256, true, ['verify']);
  const { notBefore, notAfter, subject } = wanted;
  const certificate = await x509.X509CertificateGenerator.create({
    subject,
    issuer: issuer.subject,
    notBefore,
    notAfter,
    serialNumber: serial(),
    signingAlgorithm: P256,
    publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([wanted.purpose]),
      new x509.SubjectAlternativeNameExtension(wanted.names),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return certificate.toString('pem');
}

/** What a device's certificate says, once its CA has been found to have signed it. Expiry is for the caller to judge. */
export interface DeviceCertificate {
  tenant: string;
  deviceId: string;
  publicKey: Uint8Array;
  keyHash: string;
  notAfter: number;
}

/**
 * Reads a device certificate and checks that `authority` signed it. By OpenSSL, because this runs at new connections.
 * @param input PEM (the first certificate counts), or as a TLS connection has it
 * @returns undefined when it is not one of ours
 */
export function readDeviceCertificate(
  input: string | X509Certificate,
  authority: X509Certificate,
): DeviceCertificate | undefined {
  const certificate = typeof input === 'string' ? parseCertificate(input) : input;
  if (certificate === undefined || !isSignedBy(certificate, authority)) return undefined;
  const [, tenant, deviceId] = SAN.exec(certificate.subjectAltName ?? '') ?? [];
  if (tenant === undefined || deviceId === undefined) return undefined;
  const publicKey = new Uint8Array(certificate.publicKey.export({ type: 'spki', format: 'der' }));
  const notAfter = Date.parse(certificate.validTo);
  return { tenant, deviceId, publicKey, keyHash: keyHashOf(publicKey), notAfter };
}

const isSignedBy = (certificate: X509Certificate, authority: X509Certificate): boolean =>
  certificate.publicKey.asymmetricKeyDetails?.namedCurve === 'prime256v1' &&
  certificate.checkIssued(authority) &&
  certificate.verify(authority.publicKey);

function parseCertificate(input: string): X509Certificate | undefined {
  try {
    return new X509Certificate(input);
  } catch {
    return undefined; // not a certificate: the caller refuses it
  }
}

/** The one PEM block of that label; other labels and several blocks are refused. */
function derOf(pem: string, label: string): ArrayBuffer {
  const [block, ...more] = x509.PemConverter.decodeWithHeaders(pem);
  const isIt = block !== undefined && more.length === 0 && [label, `NEW ${label}`].includes(block.type);
  if (!isIt) throw new IdentityError('csr.malformed');
  return block.rawData;
}

function isP256(key: x509.PublicKey): boolean {
  const { name, namedCurve } = key.algorithm as { name: string; namedCurve?: string };
  return /^EC/.test(name) && namedCurve === 'P-256';
}

/** sha-256 fingerprint of a certificate, lower-case hex: what an enrol line pins. */
export const fingerprintOf = (certificate: string): string =>
  createHash('sha256')
    .update(new Uint8Array(new x509.X509Certificate(certificate).rawData))
    .digest('hex');

/** PKCS #8 as PEM, the form that TLS servers take. */
export const privateKeyPem = (key: Uint8Array): string =>
  x509.PemConverter.encode(Uint8Array.from(key).buffer, 'PRIVATE KEY');

const newKeys = () => webcrypto.subtle.generateKey(P256, true, ['sign', 'verify']);
const exported = async (key: webcrypto.CryptoKey) => new Uint8Array(await webcrypto.subtle.exportKey('pkcs8', key));

/** 127 random bits, positive. @see RFC 5280 §4.1.2.2 */
function serial(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}

const validity = (now: number, lifetimeMs: number) => ({
  notBefore: new Date(now - BACKDATE_MS),
  notAfter: new Date(now + lifetimeMs),
});
