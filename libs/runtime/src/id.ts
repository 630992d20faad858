import { createHash, randomBytes } from 'node:crypto';
import { v7 } from 'uuid';

/** A new UUIDv7 (RFC 9562): sorts by creation time. */
export const newId = (): string => v7();

/**
 * The id of what a command makes: a UUIDv8 (RFC 9562 §5.8) of its parts, so that a command that is given again, because
 * its answer was lost, makes the same thing and finds it there. It says nothing of time: lists order by theirs.
 */
export function idFrom(...parts: readonly string[]): string {
  const hex = createHash('sha256').update(JSON.stringify(parts)).digest('hex');
  const variant = ((parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    variant + hex.slice(17, 20),
    hex.slice(20, 32),
  ].join('-');
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** True for a UUID in lower case, the only form accepted at the edges. */
export const isId = (text: unknown): text is string => typeof text === 'string' && UUID.test(text);

/** `bytes` random bytes as base64url: tokens, codes, salts. */
export const randomToken = (bytes = 32): string => randomBytes(bytes).toString('base64url');
