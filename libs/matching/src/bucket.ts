import { utf8 } from './input.js';

/** Buckets that a campaign's devices fall into; waves and hold-outs are counted in them. */
export const BUCKETS = 10_000;

/** The sticky bucket of a device under a campaign's salt, 0 to 9 999. */
export function bucketOf(salt: string, deviceId: string): number {
  const text = `${salt}:${deviceId}`;
  return (murmur3OfAscii(text) ?? murmur3(utf8(text))) % BUCKETS;
}

export const isHeldOut = (bucket: number, holdOut: number): boolean => bucket >= BUCKETS - holdOut;

/** Held-out devices are in no wave, not even in the last. */
export const inWave = (bucket: number, waveUpTo: number, holdOut: number): boolean =>
  bucket < waveUpTo && !isHeldOut(bucket, holdOut);

/** murmur3_x86_32 with seed 0, unsigned. @see Austin Appleby, MurmurHash3 (public domain), smhasher wiki */
export function murmur3(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tail = bytes.length & ~3;
  let hash = 0;
  for (let at = 0; at < tail; at += 4) {
    hash ^= scramble(view.getUint32(at, true));
    hash = (Math.imul(rotateLeft(hash, 13), 5) + 0xe6546b64) | 0;
  }
  let last = 0;
  for (let at = bytes.length - 1; at >= tail; at--) last = (last << 8) | view.getUint8(at);
  hash ^= scramble(last);
  return finish(hash ^ bytes.length);
}

/** The same for a text whose characters are its bytes, as nearly every one is, without making them. */
function murmur3OfAscii(text: string): number | undefined {
  const { length } = text;
  let hash = 0;
  let all = 0;
  let word = 0;
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    all |= code;
    word |= code << ((at & 3) << 3);
    if ((at & 3) !== 3) continue;
    hash = (Math.imul(rotateLeft(hash ^ scramble(word), 13), 5) + 0xe6546b64) | 0;
    word = 0;
  }
  if (all > 0x7f) return undefined;
  return finish(hash ^ scramble(word) ^ length);
}

const rotateLeft = (word: number, by: number): number => (word << by) | (word >>> (32 - by));

const scramble = (word: number): number => Math.imul(rotateLeft(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593);

/** Lets every input bit reach every output bit. */
function finish(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
