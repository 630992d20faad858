import 'reflect-metadata';
import { createPublicKey, generateKeyPairSync, webcrypto, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { CompactSign } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  checkCsr,
  createAuthority,
  DEVICE_CERTIFICATE_MS,
  fingerprintOf,
  issueDeviceCertificate,
  issueServerCertificate,
  type KeyAndCertificate,
  privateKeyPem,
  readDeviceCertificate,
  RENEWAL_GRACE_MS,
} from './certificates.js';
import { checkRenewal } from './renewal.js';

const NOW = Date.parse('2026-11-24T12:00:00Z');
const DEVICE = '018f8c2e-7b1a-7c3d-8e4f-0123456789ab';
const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

const newKeys = (namedCurve = 'P-256') =>
  webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve }, true, ['sign', 'verify']);
const newCsr = async (keys: webcrypto.CryptoKeyPair) =>
  (
    await x509.Pkcs10CertificateRequestGenerator.create({ name: 'CN=i am admin', keys, signingAlgorithm: P256 })
  ).toString('pem');

let authority: KeyAndCertificate;
let keys: webcrypto.CryptoKeyPair;
let csr: string;
let certificate: string;
beforeAll(async () => {
  authority = await createAuthority('test device CA', NOW);
  keys = await newKeys();
  csr = await newCsr(keys);
  const { publicKey } = await checkCsr(csr);
  const times = { now: NOW, expiresAt: NOW + DEVICE_CERTIFICATE_MS };
  certificate = await issueDeviceCertificate(authority, { tenant: 'acme', deviceId: DEVICE, publicKey }, times);
});

describe('a device certificate', () => {
  it('is what OpenSSL takes for one: issuer, signature, names, 90 days, client only', () => {
    const read = new X509Certificate(certificate);
    const ca = new X509Certificate(authority.certificate);
    expect(read.checkIssued(ca) && read.verify(ca.publicKey)).toBe(true);
    expect(read.subjectAltName).toBe(`URI:urn:muster:device:acme:${DEVICE}`);
    expect(read.subject).toBe(`CN=${DEVICE}`);
    expect(Date.parse(read.validTo) - NOW).toBe(90 * 86_400_000);
    expect(read.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(read.ca).toBe(false);
    expect(ca.ca).toBe(true);
  });
  it('is read back with the name of its key', async () => {
    const { keyHash } = await checkCsr(csr);
    const read = readDeviceCertificate(new X509Certificate(certificate), new X509Certificate(authority.certificate));
    expect(read).toMatchObject({ tenant: 'acme', deviceId: DEVICE, keyHash });
  });
  it('of another CA with the same name is not ours', async () => {
    const other = await createAuthority('test device CA', NOW);
    expect(readDeviceCertificate(certificate, new X509Certificate(other.certificate))).toBeUndefined();
  });
  it('has a serial of its own each time', async () => {
    const { publicKey } = await checkCsr(csr);
    const times = { now: NOW, expiresAt: NOW + 1000 };
    const again = await issueDeviceCertificate(authority, { tenant: 'acme', deviceId: DEVICE, publicKey }, times);
    expect(new X509Certificate(again).serialNumber).not.toBe(new X509Certificate(certificate).serialNumber);
  });
  it.each(['', 'x', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'])('is not found in %j', (text) => {
    expect(readDeviceCertificate(text, new X509Certificate(authority.certificate))).toBeUndefined();
  });
  it('of a server is not one of a device', async () => {
    const server = await issueServerCertificate(authority, ['localhost'], NOW);
    expect(readDeviceCertificate(server.certificate, new X509Certificate(authority.certificate))).toBeUndefined();
  });
});

describe('a server certificate', () => {
  it('names every host and address, and belongs to its key', async () => {
    const server = await issueServerCertificate(authority, ['localhost', '127.0.0.1', '::1'], NOW);
    const read = new X509Certificate(server.certificate);
    expect(read.checkHost('localhost')).toBe('localhost');
    expect(read.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(read.checkIP('::1')).toBeDefined();
    expect(read.checkHost('example.org')).toBeUndefined();
    const own = createPublicKey(privateKeyPem(server.privateKey));
    expect(read.publicKey.equals(own)).toBe(true);
  });
  it('has the fingerprint that OpenSSL prints', () => {
    const printed = new X509Certificate(authority.certificate).fingerprint256.replaceAll(':', '').toLowerCase();
    expect(fingerprintOf(authority.certificate)).toBe(printed);
  });
});

describe('a CSR', () => {
  it('of another curve is refused with csr.key-type', async () => {
    const foreign = await newCsr(await newKeys('P-384'));
    await expect(checkCsr(foreign)).rejects.toMatchObject({ code: 'csr.key-type', fields: [{ pointer: '/csr' }] });
  });
  it('of an RSA key is refused with csr.key-type', async () => {
    const rsa = {
      name: 'RSASSA-PKCS1-v1_5',
      hash: 'SHA-256',
      modulusLength: 2048,
      publicExponent: Uint8Array.of(1, 0, 1),
    };
    const pair = await webcrypto.subtle.generateKey(rsa, true, ['sign', 'verify']);
    const foreign = await x509.Pkcs10CertificateRequestGenerator.create({ keys: pair, signingAlgorithm: rsa });
    await expect(checkCsr(foreign.toString('pem'))).rejects.toMatchObject({ code: 'csr.key-type' });
  });
  it('with a changed byte in its signature is refused with csr.signature', async () => {
    const der = Buffer.from(new x509.Pkcs10CertificateRequest(csr).rawData);
    der[der.length - 1]! ^= 1;
    const forged = x509.PemConverter.encode(new Uint8Array(der).buffer, 'CERTIFICATE REQUEST');
    await expect(checkCsr(forged)).rejects.toMatchObject({ code: 'csr.signature' });
  });
  it.each([
    '',
    'MIIB',
    '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----',
    '-----BEGIN '.repeat(500),
  ])('like %.40j is refused with csr.malformed', async (text) => {
    await expect(checkCsr(text)).rejects.toMatchObject({ code: 'csr.malformed' });
  });
  it('given twice in one PEM is refused with csr.malformed', async () => {
    await expect(checkCsr(`${csr}\n${csr}`)).rejects.toMatchObject({ code: 'csr.malformed' });
  });
});

describe('a renewal', () => {
  const prove = (claims: object, key: webcrypto.CryptoKey = keys.privateKey, alg = 'ES256') =>
    new CompactSign(new TextEncoder().encode(JSON.stringify(claims))).setProtectedHeader({ alg }).sign(key);
  const check = async (proof: string, now = NOW) => {
    const old = readDeviceCertificate(certificate, new X509Certificate(authority.certificate));
    await checkRenewal(proof, old!, await checkCsr(csr), now);
  };
  const claims = async (now = NOW) => ({ csr: (await checkCsr(csr)).digest, iat: now / 1000 });

  it('is accepted with a fresh proof by the old key', async () => {
    await expect(check(await prove(await claims()))).resolves.toBeUndefined();
  });
  it('is accepted 400 days after expiry, and refused later with renewal.too-late', async () => {
    const last = NOW + DEVICE_CERTIFICATE_MS + RENEWAL_GRACE_MS;
    await expect(check(await prove(await claims(last)), last)).resolves.toBeUndefined();
    await expect(check(await prove(await claims(last)), last + 1)).rejects.toMatchObject({ code: 'renewal.too-late' });
  });
  it('is refused with renewal.proof when the proof is by another key', async () => {
    const other = await newKeys();
    await expect(check(await prove(await claims(), other.privateKey))).rejects.toMatchObject({ code: 'renewal.proof' });
  });
  it('is refused with renewal.proof when the proof names another CSR', async () => {
    const proof = await prove({ ...(await claims()), csr: 'x' });
    await expect(check(proof)).rejects.toMatchObject({ code: 'renewal.proof' });
  });
  it('is refused with renewal.proof when the proof is older than 10 minutes, from the future or without a time', async () => {
    const { csr: digest } = await claims();
    for (const iat of [NOW / 1000 - 601, NOW / 1000 + 601, undefined, 'now', NaN])
      await expect(check(await prove({ csr: digest, iat }))).rejects.toMatchObject({ code: 'renewal.proof' });
  });
  it('is refused with renewal.proof when the proof is unsigned or signed with a shared secret', async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const unsigned = `${part({ alg: 'none' })}.${part(await claims())}.`;
    const { privateKey } = generateKeyPairSync('ed25519');
    const eddsa = await new CompactSign(Buffer.from(JSON.stringify(await claims())))
      .setProtectedHeader({ alg: 'EdDSA' })
      .sign(privateKey);
    for (const proof of [unsigned, eddsa, '', 'a.b.c', 'x'])
      await expect(check(proof)).rejects.toMatchObject({ code: 'renewal.proof' });
  });
});
