import { X509Certificate } from 'node:crypto';
import { hasFields, readJson, type Store } from './store.js';

export const IDENTITY_FILE = 'identity.json';

/** Who this handset is. Kept 0600; the key never leaves the store and is never logged. */
export interface DeviceIdentity {
  server: string;
  tenant: string;
  deviceId: string;
  deviceNo: number;
  channel: string;
  certificate: string;
  /** PKCS #8, PEM. */
  key: string;
  serverCa: string;
  epoch: number;
  /** Path of the TUF repository, with a slash at its end. */
  tuf: string;
}

export const readIdentity = (store: Store): DeviceIdentity | undefined => readJson(store, IDENTITY_FILE, isIdentity);

const isIdentity = (value: unknown): value is DeviceIdentity => hasFields(value, 'deviceId', 'key', 'certificate');

const RENEW_AT = 1 / 3;

/** True when a third of the certificate's lifetime or less is left, and after its end. */
export function isRenewalDue({ certificate }: DeviceIdentity, nowMs: number): boolean {
  const { validFrom, validTo } = new X509Certificate(certificate);
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  return to - nowMs <= (to - from) * RENEW_AT;
}
