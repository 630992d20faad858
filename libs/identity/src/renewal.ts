import { webcrypto } from 'node:crypto';
import { compactVerify, errors } from 'jose';
import { type CheckedCsr, RENEWAL_GRACE_MS, type DeviceCertificate } from './certificates.js';
import { IdentityError, refusedField } from './errors.js';

/** How far a proof's `iat` may be from our clock, either way, seconds. */
export const PROOF_SECONDS = 600;

/**
 * Checks that who asks for a renewal holds the old certificate's key, now and for this CSR. No valid certificate is
 * needed: up to 400 days after its expiry the key alone proves the device.
 * @param proof compact JWS, ES256 over `{"csr": sha-256 of the CSR's DER (base64url), "iat": seconds}`
 * @throws IdentityError `renewal.too-late`, `renewal.proof`
 */
export async function checkRenewal(proof: string, old: DeviceCertificate, csr: CheckedCsr, now: number): Promise<void> {
  if (now > old.notAfter + RENEWAL_GRACE_MS)
    throw new IdentityError('renewal.too-late', {}, 'expired more than 400 days ago: enrol again');
  const claims = await signedClaims(proof, old.publicKey);
  if (claims.csr !== csr.digest) throw refusedProof('it names another CSR');
  const isFresh = typeof claims.iat === 'number' && Math.abs(now / 1000 - claims.iat) <= PROOF_SECONDS;
  if (!isFresh) throw refusedProof(`iat is not within ${PROOF_SECONDS} s of the server's clock`);
}

async function signedClaims(proof: string, publicKey: Uint8Array): Promise<Record<string, unknown>> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const key = await webcrypto.subtle.importKey('spki', publicKey, algorithm, false, ['verify']);
  try {
    const { payload } = await compactVerify(proof, key, { algorithms: ['ES256'] });
    const claims: unknown = JSON.parse(new TextDecoder().decode(payload));
    return claims !== null && typeof claims === 'object' ? { ...claims } : {};
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof SyntaxError || error instanceof TypeError)
      throw refusedProof("not a JWS (ES256) of JSON by the certificate's key");
    throw error;
  }
}

const refusedProof = (message: string): IdentityError => refusedField('renewal.proof', '/proof', message);
