import { PARTITIONS } from './event-log.js';

const M = 0x5bd1e995;
const SEED = 0x9747b28c;

/** Kafka's murmur2 of bytes, as a signed 32-bit number. @see org.apache.kafka.common.utils.Utils.murmur2 */
export function murmur2(bytes: Uint8Array): number {
  let h = SEED ^ bytes.length;
  const tail = bytes.length & ~3;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < tail; at += 4) {
    let k = Math.imul(view.getInt32(at, true), M);
    k = Math.imul(k ^ (k >>> 24), M);
    h = Math.imul(h, M) ^ k;
  }
  for (let at = bytes.length - 1; at >= tail; at -= 1) {
    h ^= (bytes[at] ?? 0) << (8 * (at - tail));
    if (at === tail) h = Math.imul(h, M);
  }
  h = Math.imul(h ^ (h >>> 13), M);
  return h ^ (h >>> 15);
}

/** The partition of a record key, as Kafka's default partitioner chooses it: foreign producers agree with us. */
export function partitionOf(key: string): number {
  return (murmur2(Buffer.from(key, 'utf8')) & 0x7fffffff) % PARTITIONS;
}
