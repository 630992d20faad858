import { concat, uint } from './bytes.js';
import { refused } from './errors.js';

/** One data grouping of STORE DATA (GlobalPlatform Card Specification §11.11, from the EMV Card Personalization Specification). */
export interface Dgi {
  /** Two bytes: 0x3a01. */
  readonly dgi: number;
  readonly value: Uint8Array;
  readonly offset: number;
}

const MAX_DGI_BYTES = 0xffff;
const MAX_BYTES = 65_536;

/** Its length is one byte up to FE, and `FF` with two more above: not as BER writes it. @throws GlobalPlatformError `dgi.too-large`, `dgi.number` */
export function encodeDgi(dgi: number, value: Uint8Array): Uint8Array {
  const { length } = value;
  const place = { step: 'encode DGI', input: 'value' };
  if (!Number.isInteger(dgi) || dgi < 0 || dgi > 0xffff)
    throw refused('dgi.number', { ...place, input: 'dgi' }, 'not a number of two bytes');
  if (length > MAX_DGI_BYTES)
    throw refused('dgi.too-large', { ...place, length }, `longer than ${MAX_DGI_BYTES} bytes`);
  const written = length < 0xff ? uint(length, 1) : concat(Uint8Array.of(0xff), uint(length, 2));
  return concat(uint(dgi, 2), written, value);
}

/** @throws GlobalPlatformError `dgi.truncated`, `dgi.too-large` */
export function decodeDgis(bytes: Uint8Array, input = 'DGI'): readonly Dgi[] {
  const step = 'decode DGI';
  if (bytes.length > MAX_BYTES)
    throw refused('dgi.too-large', { step, input, length: bytes.length }, `longer than ${MAX_BYTES} bytes`);
  const found: Dgi[] = [];
  const byteAt = (at: number): number => {
    const byte = bytes[at];
    if (byte === undefined) throw refused('dgi.truncated', { step, input, offset: at }, 'it ends here');
    return byte;
  };
  for (let at = 0; at < bytes.length; ) {
    const dgi = byteAt(at) * 256 + byteAt(at + 1);
    const short = byteAt(at + 2);
    const length = short === 0xff ? byteAt(at + 3) * 256 + byteAt(at + 4) : short;
    const start = at + (short === 0xff ? 5 : 3);
    if (start + length > bytes.length)
      throw refused(
        'dgi.truncated',
        { step, input, offset: at + 2, dgi, length },
        `${length} bytes announced, ${bytes.length - start} are there`,
      );
    found.push({ dgi, value: bytes.subarray(start, start + length), offset: at });
    at = start + length;
  }
  return found;
}
