import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** Fields a sealed value has; never a field name of an event. */
export const SEALED = '$sealed';
const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** AES-256-GCM: nonce, ciphertext, tag. @param key 32 bytes */
export function encrypt(key: Uint8Array, plain: Uint8Array, associated: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce).setAAD(Buffer.from(associated, 'utf8'));
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** What `encrypt` made, or `undefined` when key, text or associated data do not belong together. */
export function decrypt(key: Uint8Array, sealed: Uint8Array, associated: string): Buffer | undefined {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(associated, 'utf8')).setAuthTag(sealed.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    return undefined; // the tag does not fit
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** True for a schema that marks a field personal, at any depth. */
export function marksPersonal(schema: unknown): boolean {
  if (!isObject(schema)) return Array.isArray(schema) && schema.some(marksPersonal);
  return schema['x-personal'] === true || Object.values(schema).some(marksPersonal);
}

/**
 * Replaces each personal value by `{"$sealed": base64url}`; associated data = event id, then the value's JSON pointer.
 * `null` stays: it says nothing.
 */
export function sealPersonal(data: object, schema: object, eventId: string, key: Uint8Array): object {
  return mapPersonal(data, schema, (value, pointer) => {
    const plain = Buffer.from(JSON.stringify(value), 'utf8');
    return { [SEALED]: encrypt(key, plain, eventId + pointer).toString('base64url') };
  });
}

/** True when there is something to seal. */
export function holdsPersonal(data: object, schema: object): boolean {
  let found = false;
  mapPersonal(data, schema, (value) => {
    found = true;
    return value;
  });
  return found;
}

/** Replaces each personal value. Follows `properties`, `additionalProperties` and `items`, where alone marks are allowed. */
export function mapPersonal(data: object, schema: object, map: (value: unknown, pointer: string) => unknown): object {
  const walk = (value: unknown, part: unknown, pointer: string): unknown => {
    if (!isObject(part) || value === null || value === undefined) return value;
    if (part['x-personal'] === true) return map(value, pointer);
    if (Array.isArray(value)) return value.map((item, index) => walk(item, part.items, `${pointer}/${index}`));
    if (!isObject(value)) return value;
    const known = isObject(part.properties) ? part.properties : {};
    return mapValues(value, (item, name) =>
      walk(item, Object.hasOwn(known, name) ? known[name] : part.additionalProperties, pointerTo(pointer, name)),
    );
  };
  return walk(data, schema, '') as object;
}

/** Opens every sealed value; without the key, or when it does not fit, the value is `null`. Where nothing is sealed it is `data` itself. */
export function openSealed(data: object, eventId: string, key: Uint8Array | undefined): object {
  if (!holdsSealed(data)) return data; // most events are not personal, and a copy of each was a third of reading them
  const walk = (value: unknown, pointer: string): unknown => {
    if (Array.isArray(value)) return value.map((item, index) => walk(item, `${pointer}/${index}`));
    if (!isObject(value)) return value;
    const sealed = value[SEALED];
    if (typeof sealed !== 'string') return mapValues(value, (item, name) => walk(item, pointerTo(pointer, name)));
    const plain = key && decrypt(key, Buffer.from(sealed, 'base64url'), eventId + pointer);
    return plain === undefined ? null : (JSON.parse(plain.toString('utf8')) as unknown);
  };
  return walk(data, '') as object;
}

/** True when a value below is sealed, or would be taken for one. */
export function holdsSealed(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(holdsSealed);
  if (!isObject(value)) return false;
  if (Object.hasOwn(value, SEALED)) return true;
  for (const name in value) if (holdsSealed(value[name])) return true; // JSON: it has no fields but its own
  return false;
}

/** Own fields only, `__proto__` included, which an assignment would lose. */
function mapValues(value: Record<string, unknown>, map: (item: unknown, name: string) => unknown) {
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, map(item, name)]));
}

/** Pointers of what is sealed in `stored` and did not open. */
export function unopened(stored: unknown, opened: unknown, pointer = ''): string[] {
  if (Array.isArray(stored))
    return stored.flatMap((item, i) => unopened(item, (opened as unknown[] | null)?.[i], `${pointer}/${i}`));
  if (!isObject(stored)) return [];
  if (typeof stored[SEALED] === 'string') return opened === null ? [pointer] : [];
  return Object.entries(stored).flatMap(([name, item]) =>
    unopened(item, isObject(opened) ? opened[name] : undefined, pointerTo(pointer, name)),
  );
}

/** True when a personal value of stored data is not sealed. */
export function holdsPlainPersonal(stored: object, schema: object): boolean {
  let found = false;
  mapPersonal(stored, schema, (value) => {
    found ||= !isObject(value) || typeof value[SEALED] !== 'string';
    return value;
  });
  return found;
}

/** RFC 6901. */
const pointerTo = (pointer: string, name: string) => `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
