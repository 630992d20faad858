import 'reflect-metadata'; // the X.509 library's injection needs it before it loads
import { createHash, createPrivateKey, sign, webcrypto, X509Certificate } from 'node:crypto';
import { Pkcs10CertificateRequestGenerator, PemConverter } from '@peculiar/x509';
import { type EnrolAnswer, type EnrolRequest, LIMITS, type RenewRequest } from '#device-protocol/index.js';
import { type Clock } from '#runtime/index.js';
import { exchange, jsonOf, readBody } from './device-api.js';
import { HandsetError } from './errors.js';
import { type DeviceIdentity, IDENTITY_FILE } from './identity.js';
import { type Transport } from './ports.js';
import { hasFields, parseJson, readJson, type Store, writeJson } from './store.js';
import { httpsTransport } from './transport.js';

/** The key of an exchange that has not been answered yet. */
const PENDING = 'pending-key.json';
const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

export interface Enrolment {
  server: string;
  /** sha-256 of the server CA's certificate, hex; colons are allowed. */
  caFingerprint: string;
  code: string;
}

/**
 * Enrols: fetches the server's CA unverified, holds it against the fingerprint of the enrol line, and only then sends
 * the one-time code, over a connection which that CA vouches for. The key is stored before it is sent: when the answer is
 * lost, the used code is good once more with the same key.
 * @throws HandsetError `enrol.fingerprint`, `server.refused` (its code says why), `transport.*`
 */
export async function enrol(
  store: Store,
  { server, caFingerprint, code }: Enrolment,
  clock: Clock,
): Promise<{ identity: DeviceIdentity; answer: EnrolAnswer }> {
  const serverCa = await fetchCa(server, caFingerprint, clock);
  const transport = httpsTransport({ origin: server, ca: serverCa });
  try {
    const { csr, key } = await pendingKey(store);
    const request: EnrolRequest = { code, csr };
    const answer = await post(transport, clock, '/enrol/v1', request);
    if (!isEnrolAnswer(answer)) throw new HandsetError('server.malformed', { url: '/enrol/v1' });
    return { identity: identityFrom(answer, { server, key, serverCa }), answer };
  } finally {
    transport.close();
  }
}

function identityFrom(answer: EnrolAnswer, own: { server: string; key: string; serverCa: string }): DeviceIdentity {
  const { tenant, deviceId, deviceNo, channel, certificate, epoch } = answer;
  const tuf = answer.tuf.endsWith('/') ? answer.tuf : `${answer.tuf}/`;
  return { ...own, tenant, deviceId, deviceNo, channel, certificate, epoch, tuf };
}

async function fetchCa(server: string, caFingerprint: string, clock: Clock): Promise<string> {
  const unverified = httpsTransport({ origin: server, isUnverified: true });
  try {
    const request = { method: 'GET', url: '/enrol/v1/ca', maxBytes: 16_384 } as const;
    const pem = Buffer.from(await readBody(await exchange(unverified, clock, request))).toString();
    if (fingerprintOf(pem) !== caFingerprint.replaceAll(':', '').toLowerCase())
      throw new HandsetError('enrol.fingerprint', {}, 'the server shows a CA with another fingerprint');
    return pem;
  } finally {
    unverified.close();
  }
}

/** Undefined for what is not one certificate. */
function fingerprintOf(pem: string): string | undefined {
  try {
    return createHash('sha256').update(new X509Certificate(pem).raw).digest('hex');
  } catch {
    return undefined; // not a certificate: equals no fingerprint
  }
}

/**
 * Renews the certificate under a new key. The old key signs the proof, so no valid certificate is needed: this also works
 * up to 400 days after its end. The new key is stored before it is sent: an answer that is lost on its way finds
 * the same key again.
 */
export async function renew(store: Store, identity: DeviceIdentity, clock: Clock): Promise<DeviceIdentity> {
  const pending = await pendingKey(store);
  const proof = proofOf(pending.csr, identity.key, clock.now());
  const request: RenewRequest = { certificate: identity.certificate, csr: pending.csr, proof };
  const transport = httpsTransport({ origin: identity.server, ca: identity.serverCa });
  try {
    const answer = await post(transport, clock, '/enrol/v1/renew', request);
    if (!isCertified(answer)) throw new HandsetError('server.malformed', { url: '/enrol/v1/renew' });
    const renewed = { ...identity, certificate: answer.certificate, key: pending.key };
    keepIdentity(store, renewed);
    return renewed;
  } finally {
    transport.close();
  }
}

/** From here on the handset is enrolled, or renewed. */
export function keepIdentity(store: Store, identity: DeviceIdentity): void {
  writeJson(store, IDENTITY_FILE, identity);
  store.remove(PENDING);
}

/** The key of an exchange that has not been answered yet, or a new one. */
async function pendingKey(store: Store): Promise<{ csr: string; key: string }> {
  const pending = readJson(store, PENDING, isKeyPair) ?? (await newKey());
  writeJson(store, PENDING, pending);
  return pending;
}

const isKeyPair = (value: unknown): value is { csr: string; key: string } => hasFields(value, 'csr', 'key');
const isCertified = (value: unknown): value is { certificate: string } =>
  hasFields(value, 'certificate') && typeof value.certificate === 'string';

/** Compact JWS, ES256 (RFC 7518 §3.4: r ‖ s, not DER). */
function proofOf(csr: string, key: string, nowMs: number): string {
  const der = Buffer.from(PemConverter.decode(csr)[0]!);
  const claims = { csr: createHash('sha256').update(der).digest('base64url'), iat: Math.floor(nowMs / 1000) };
  const input = [{ alg: 'ES256' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
  const signature = sign('sha256', Buffer.from(input.join('.')), {
    key: createPrivateKey(key),
    dsaEncoding: 'ieee-p1363',
  });
  return [...input, signature.toString('base64url')].join('.');
}

/** A P-256 key and a CSR that proves it. Subject and extensions are the server's to give. */
async function newKey(): Promise<{ csr: string; key: string }> {
  const keys = await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify']);
  const csr = await Pkcs10CertificateRequestGenerator.create({ name: 'CN=handset', keys, signingAlgorithm: P256 });
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { csr: csr.toString('pem'), key: PemConverter.encode(key, 'PRIVATE KEY') };
}

async function post(transport: Transport, clock: Clock, url: string, value: unknown): Promise<unknown> {
  const body = JSON.stringify(value);
  return jsonOf(await exchange(transport, clock, { method: 'POST', url, body, maxBytes: 2 * LIMITS.tufRoot }));
}

const STRINGS = ['tenant', 'deviceId', 'channel', 'certificate', 'tuf', 'root', 'rules'] as const;

function isEnrolAnswer(value: unknown): value is EnrolAnswer {
  if (typeof value !== 'object' || value === null) return false;
  const answer = value as Record<string, unknown>;
  const hasRoot = typeof answer.root === 'string' && parseJson(Buffer.from(answer.root)) !== undefined;
  return STRINGS.every((field) => typeof answer[field] === 'string') && Number.isInteger(answer.epoch) && hasRoot;
}
