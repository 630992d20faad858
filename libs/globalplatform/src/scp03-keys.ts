import { type AesKey, BLOCK, encryptBlock, keyBytesOf } from './aes.js';
import { aesCmac } from './aes-cmac.js';
import { concat, toHex, uint } from './bytes.js';
import { refused } from './errors.js';

/** Static keys of one key version, as they are in the card. */
export interface Keyset {
  readonly enc: AesKey;
  readonly mac: AesKey;
  readonly dek: AesKey;
}

/** Of one session; there is no session key for PUT KEY, which uses the static one. */
export interface SessionKeys {
  readonly enc: AesKey;
  readonly mac: AesKey;
  readonly rmac: AesKey;
}

/** What is derived: the constant in byte 12 (GPCS Amendment D §4.1.5, table 4-1). */
export const PURPOSE = {
  cardCryptogram: 0x00,
  hostCryptogram: 0x01,
  cardChallenge: 0x02,
  enc: 0x04,
  mac: 0x06,
  rmac: 0x07,
} as const;

/** Challenges, cryptograms and MACs of 8 bytes (S8) or 16 (S16); the challenge's length tells which. */
export type MacBytes = 8 | 16;

/** First block of the derivation: label, separator, length in bits, counter, which stands in the middle. */
export function derivationBlock(purpose: number, lengthBits: number, counter = 1): Uint8Array {
  const block = new Uint8Array(BLOCK);
  block[11] = purpose;
  block.set(uint(lengthBits, 2), 13);
  block[15] = counter;
  return block;
}

/**
 * One key or cryptogram of SCP03: AES-CMAC in counter mode.
 * @param context  host challenge, then card challenge; for a card challenge, sequence counter and AID
 * @param lengthBits  of the result: 64, 128, 192 or 256
 * @throws GlobalPlatformError `aes.key-length`
 * @see GPCS Amendment D §4.1.5, NIST SP 800-108
 */
export function deriveScp03(key: AesKey, purpose: number, context: Uint8Array, lengthBits: number): Uint8Array {
  const rounds = Math.ceil(lengthBits / 128);
  const blocks = Array.from({ length: rounds }, (_, i) =>
    aesCmac(key, derivationBlock(purpose, lengthBits, i + 1), context),
  );
  return concat(...blocks).subarray(0, lengthBits / 8);
}

/** @throws GlobalPlatformError `aes.key-length`, `scp03.malformed` */
export function deriveSessionKeys(
  keyset: Pick<Keyset, 'enc' | 'mac'>,
  hostChallenge: Uint8Array,
  cardChallenge: Uint8Array,
): SessionKeys {
  const context = contextOf(hostChallenge, cardChallenge);
  const [encBits, macBits] = [keyBytesOf(keyset.enc, 'Key-ENC') * 8, keyBytesOf(keyset.mac, 'Key-MAC') * 8];
  return {
    enc: deriveScp03(keyset.enc, PURPOSE.enc, context, encBits),
    mac: deriveScp03(keyset.mac, PURPOSE.mac, context, macBits),
    rmac: deriveScp03(keyset.mac, PURPOSE.rmac, context, macBits),
  };
}

/** @throws GlobalPlatformError `scp03.malformed` */
export function contextOf(hostChallenge: Uint8Array, cardChallenge: Uint8Array): Uint8Array {
  const length = macBytesOf(hostChallenge, 'host challenge');
  if (cardChallenge.length !== length)
    throw refused(
      'scp03.malformed',
      { step: 'derive session', input: 'card challenge', length: cardChallenge.length },
      `${cardChallenge.length} bytes, the host's is of ${length}`,
    );
  return concat(hostChallenge, cardChallenge);
}

/** @throws GlobalPlatformError `scp03.malformed` */
export function macBytesOf({ length }: Uint8Array, input: string): MacBytes {
  if (length !== 8 && length !== 16)
    throw refused('scp03.malformed', { step: 'derive session', input, length }, `${length} bytes, not 8 or 16`);
  return length;
}

/** What the card shows to prove its keys. @param context of contextOf */
export const cardCryptogram = (mac: AesKey, context: Uint8Array): Uint8Array =>
  deriveScp03(mac, PURPOSE.cardCryptogram, context, (context.length / 2) * 8);

export const hostCryptogram = (mac: AesKey, context: Uint8Array): Uint8Array =>
  deriveScp03(mac, PURPOSE.hostCryptogram, context, (context.length / 2) * 8);

/**
 * The card challenge that a card with option `i` bit 10 answers: known before the card is there.
 * @param aid  of the security domain or application that is selected
 * @see GPCS Amendment D §6.2.2.1
 */
export const pseudoRandomChallenge = (
  enc: AesKey,
  sequenceCounter: number,
  aid: Uint8Array,
  bytes: MacBytes = 8,
): Uint8Array => deriveScp03(enc, PURPOSE.cardChallenge, concat(uint(sequenceCounter, 3), aid), bytes * 8);

const ONES = new Uint8Array(BLOCK).fill(0x01);

/** First 3 bytes of sixteen 01 encrypted: tells people and cards that a key arrived, and nothing of it. */
export const keyCheckValue = (key: AesKey): Uint8Array => encryptBlock(key, ONES).slice(0, 3);

/** For people and indexes. */
export const keyCheckText = (key: AesKey): string => toHex(keyCheckValue(key)).toUpperCase();
