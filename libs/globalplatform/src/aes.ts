import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';
import { refused } from './errors.js';

/** An AES key of 16, 24 or 32 bytes. As a KeyObject it isn't copied for each use, which on Node 24 is what most of one costs. */
export type AesKey = Uint8Array | KeyObject;
export const BLOCK = 16;
const ZERO_IV = new Uint8Array(BLOCK);

/** @throws GlobalPlatformError `aes.key-length` */
export function keyBytesOf(key: AesKey, input = 'key'): number {
  const length = key instanceof Uint8Array ? key.length : (key.symmetricKeySize ?? 0);
  if (length !== 16 && length !== 24 && length !== 32)
    throw refused('aes.key-length', { step: 'use AES key', input, length }, `${length} bytes, not 16, 24 or 32`);
  return length;
}

/** OpenSSL's name of a mode with a key of this length. */
export const cipherOf = (key: AesKey, mode: 'cbc' | 'ecb', input?: string): string =>
  `aes-${keyBytesOf(key, input) * 8}-${mode}`;

/** AES of one block. */
export function encryptBlock(key: AesKey, block: Uint8Array): Uint8Array {
  const cipher = createCipheriv(cipherOf(key, 'ecb'), key, null).setAutoPadding(false);
  return bare(cipher.update(whole(block, 'encrypt block')));
}

/** Whole blocks, no padding. @throws GlobalPlatformError `aes.block`, `aes.key-length` */
export function encryptCbc(key: AesKey, data: Uint8Array, iv: Uint8Array = ZERO_IV): Uint8Array {
  const cipher = createCipheriv(cipherOf(key, 'cbc'), key, iv).setAutoPadding(false);
  return bare(cipher.update(whole(data, 'encrypt')));
}

/** Whole blocks, no padding. @throws GlobalPlatformError `aes.block`, `aes.key-length` */
export function decryptCbc(key: AesKey, data: Uint8Array, iv: Uint8Array = ZERO_IV): Uint8Array {
  const decipher = createDecipheriv(cipherOf(key, 'cbc'), key, iv).setAutoPadding(false);
  return bare(decipher.update(whole(data, 'decrypt')));
}

/** Without what Node's Buffer adds, of which `slice` copies nothing. */
const bare = ({ buffer, byteOffset, length }: Buffer): Uint8Array => new Uint8Array(buffer, byteOffset, length);

function whole(data: Uint8Array, step: string): Uint8Array {
  if (data.length % BLOCK !== 0)
    throw refused('aes.block', { step, input: 'data', length: data.length }, 'not whole blocks of 16 bytes');
  return data;
}

/** ISO/IEC 9797-1 method 2: `80`, then zeros to the end of the block; one byte at least. */
export function pad80(data: Uint8Array): Uint8Array {
  const padded = new Uint8Array((Math.floor(data.length / BLOCK) + 1) * BLOCK);
  padded.set(data);
  padded[data.length] = 0x80;
  return padded;
}

/**
 * Zeros may be more than the block has room for: a published emulation of a card adds a block of them.
 * @returns `undefined` where there is no such padding
 */
export function unpad80(padded: Uint8Array): Uint8Array | undefined {
  let at = padded.length - 1;
  while (at > 0 && padded[at] === 0) at -= 1;
  return padded[at] === 0x80 ? padded.subarray(0, at) : undefined;
}
