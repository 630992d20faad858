import { randomBytes } from 'node:crypto';
import { v7 } from 'uuid';

/** A new UUIDv7 (RFC 9562): sorts by creation time. */
export const newId = (): string => v7();

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** True for a UUID in lower case, the only form accepted at the edges. */
export const isId = (text: unknown): text is string => typeof text === 'string' && UUID.test(text);

/** `bytes` random bytes as base64url: tokens, codes, salts. */
export const randomToken = (bytes = 32): string => randomBytes(bytes).toString('base64url');
