import { type AesKey, BLOCK, encryptBlock, encryptCbc } from './aes.js';
import { concat } from './bytes.js';

const ZERO_BLOCK = new Uint8Array(BLOCK);

/**
 * AES-CMAC of the parts in a row, which Node 20 doesn't have.
 * @returns 16 bytes
 * @throws GlobalPlatformError `aes.key-length`
 * @see RFC 4493, NIST SP 800-38B §6.2
 */
export function aesCmac(key: AesKey, ...parts: readonly Uint8Array[]): Uint8Array {
  const message = concat(...parts);
  const { k1, k2 } = subkeysOf(encryptBlock(key, ZERO_BLOCK));
  return encryptCbc(key, finish(message, k1, k2)).slice(-BLOCK);
}

/** The message with its last block made ready: whole and with K1, or padded and with K2. */
function finish(message: Uint8Array, k1: Uint8Array, k2: Uint8Array): Uint8Array {
  const blocks = Math.max(1, Math.ceil(message.length / BLOCK));
  const isWhole = message.length === blocks * BLOCK;
  const ready = new Uint8Array(blocks * BLOCK);
  ready.set(message);
  if (!isWhole) ready[message.length] = 0x80;
  const [subkey, start] = [isWhole ? k1 : k2, (blocks - 1) * BLOCK];
  for (let i = 0; i < BLOCK; i += 1) ready[start + i]! ^= subkey[i]!;
  return ready;
}

/** K1 and K2 of the encrypted zero block. */
export function subkeysOf(encryptedZero: Uint8Array): { k1: Uint8Array; k2: Uint8Array } {
  const k1 = doubled(encryptedZero);
  return { k1, k2: doubled(k1) };
}

/** Multiplied by x in GF(2^128), without a branch on a secret bit. */
function doubled(block: Uint8Array): Uint8Array {
  const shifted = new Uint8Array(BLOCK);
  for (let i = 0; i < BLOCK; i += 1) shifted[i] = (block[i]! << 1) | ((block[i + 1] ?? 0) >> 7);
  shifted[BLOCK - 1]! ^= 0x87 & -(block[0]! >> 7);
  return shifted;
}
