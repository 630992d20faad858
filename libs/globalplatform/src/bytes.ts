import { timingSafeEqual } from 'node:crypto';
import { refused } from './errors.js';

export const NOTHING = new Uint8Array(0);

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Big-endian. */
export function uint(value: number, bytes: number): Uint8Array {
  const written = new Uint8Array(bytes);
  for (let at = bytes - 1, rest = value; at >= 0; at -= 1, rest = Math.floor(rest / 256)) written[at] = rest % 256;
  return written;
}

/** Big-endian, up to 6 bytes. */
export const toUint = (bytes: Uint8Array): number => bytes.reduce((sum, byte) => sum * 256 + byte, 0);

export const toHex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');

/** Spaces between the digits are allowed, as documents write them. @throws GlobalPlatformError `bytes.hex` */
export function fromHex(text: string, input = 'hex'): Uint8Array {
  const digits = text.replaceAll(/\s/g, '');
  if (digits.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(digits))
    throw refused('bytes.hex', { step: 'read hex', input }, 'not an even number of hexadecimal digits');
  return new Uint8Array(Buffer.from(digits, 'hex'));
}

/** In a time that tells nothing of where they differ; lengths are no secret. */
export const isSame = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b);
