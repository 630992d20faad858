import 'reflect-metadata';
import { createHash, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { CompactSign } from 'jose';
import { privateKeyPem } from './certificates.js';

const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

export { handset, type HandsetCommand } from './handset.js';

/** A key as a handset has it, with the CSR and the proofs that only its holder can make. */
export interface TestKey {
  privateKeyPem: string;
  csr: string;
  /** A renewal proof by this key for a CSR. */
  prove(csr: string, atMs: number): Promise<string>;
}

/** For specs of this and other rooms. */
export async function testKey(): Promise<TestKey> {
  const keys = await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify']);
  const request = { name: 'CN=whatever', keys, signingAlgorithm: P256 };
  const csr = await x509.Pkcs10CertificateRequestGenerator.create(request);
  return {
    privateKeyPem: privateKeyPem(new Uint8Array(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey))),
    csr: csr.toString('pem'),
    prove: (wanted, atMs) => {
      const der = new Uint8Array(new x509.Pkcs10CertificateRequest(wanted).rawData);
      const claims = { csr: createHash('sha256').update(der).digest('base64url'), iat: Math.floor(atMs / 1000) };
      return new CompactSign(Buffer.from(JSON.stringify(claims)))
        .setProtectedHeader({ alg: 'ES256' })
        .sign(keys.privateKey);
    },
  };
}
