import { describe, expect, it } from 'vitest';
import { murmur2, partitionOf } from './murmur2.js';

// From the Java client's own test, org.apache.kafka.common.utils.UtilsTest.testMurmur2.
const VECTORS: [string, number][] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
];

describe('murmur2', () => {
  it.each(VECTORS)('hashes %s as the Java client does', (text, hash) => {
    expect(murmur2(Buffer.from(text))).toBe(hash);
  });

  it('makes the hash positive before the modulo, without Math.abs', () => {
    expect(partitionOf('21')).toBe((-973932308 & 0x7fffffff) % 12);
  });
});
