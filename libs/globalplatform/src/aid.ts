import { concat, fromHex, uint } from './bytes.js';
import { refused } from './errors.js';

/** Identifiers that GlobalPlatform and SGP.02 give. */
export const AIDS = {
  /** The issuer security domain, where a card has no other. */
  issuerSecurityDomain: fromHex('a000000151000000'),
  isdR: fromHex('a0000005591010ffffffff8900000100'),
  ecasd: fromHex('a0000005591010ffffffff8900000200'),
  isdPLoadFile: fromHex('a0000005591010ffffffff8900000d00'),
  isdPModule: fromHex('a0000005591010ffffffff8900000e00'),
};

/** @returns the bytes, if there are 5 to 16 of them (ISO/IEC 7816-4 §12.2.3) @throws GlobalPlatformError `aid.length` */
export function checkAid(aid: Uint8Array, input = 'AID'): Uint8Array {
  if (aid.length < 5 || aid.length > 16)
    throw refused('aid.length', { step: 'check AID', input, length: aid.length }, `${aid.length} bytes, not 5 to 16`);
  return aid;
}

const FIRST_ISD_P = 0x10;

/** Of the n-th profile, from 0: bytes 14 and 15 count from `0010` on, and the last byte is 00. @throws GlobalPlatformError `aid.length` */
export function isdPAid(n: number): Uint8Array {
  if (!Number.isInteger(n) || n < 0 || n > 0xffff - FIRST_ISD_P)
    throw refused('aid.length', { step: 'number ISD-P', input: 'n' }, 'more profiles than there are identifiers');
  return concat(AIDS.isdR.subarray(0, 13), uint(FIRST_ISD_P + n, 2), Uint8Array.of(0));
}
