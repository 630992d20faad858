import { decrypt, encrypt, type Keyring, type RowName } from '#event-log/index.js';

/** What a hawkBit client said, by its own key. @param about names the row, so that it opens in no other */
export const sealWith = (key: Uint8Array, value: object, about: string): Buffer =>
  encrypt(key, Buffer.from(JSON.stringify(value), 'utf8'), about);

export function openWith<T>(key: Uint8Array, sealed: Buffer, about: string): T | undefined {
  const plain = decrypt(key, sealed, about);
  return plain === undefined ? undefined : (JSON.parse(plain.toString('utf8')) as T);
}

/** @returns undefined when nothing is kept, or its key is gone */
export async function openOf<T>(
  keyring: Keyring,
  { tenant, deviceId }: RowName,
  about: string,
  sealed: Buffer | null | undefined,
): Promise<T | undefined> {
  if (!sealed) return undefined;
  const key = (await keyring.subjectKeys(tenant, [deviceId])).get(deviceId);
  return key && openWith<T>(key, sealed, `${about} ${deviceId}`);
}
