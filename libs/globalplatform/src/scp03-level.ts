import { refused } from './errors.js';
import type { MacBytes } from './scp03-keys.js';

/** Security level: 00 authenticated only; 01 C-MAC; 03 and C-ENC; 11 and R-MAC; 13 all three; 33 and R-ENC. */
export const SECURITY_LEVELS = [0x00, 0x01, 0x03, 0x11, 0x13, 0x33] as const;
export type SecurityLevel = (typeof SECURITY_LEVELS)[number];

/** Bits of a level. */
export const LEVEL = { commandMac: 0x01, commandEnc: 0x02, responseMac: 0x10, responseEnc: 0x20 };

/** Bits of the option `i` (GPCS Amendment D, table 5-1). */
export const OPTION = { s16: 0x01, pseudoRandom: 0x10, responseMac: 0x20, responseEnc: 0x40 };
const OPTION_BITS = OPTION.s16 | OPTION.pseudoRandom | OPTION.responseMac | OPTION.responseEnc;

const STEP = 'open secure channel';

/** @throws GlobalPlatformError `scp03.level`, also where the card's option doesn't offer it */
export function checkLevel(level: number, option: number): SecurityLevel {
  const known = SECURITY_LEVELS.find((each) => each === level);
  const place = { step: STEP, input: 'security level', level, option };
  if (known === undefined) throw refused('scp03.level', place, 'not 00, 01, 03, 11, 13 or 33');
  const needs =
    (level & LEVEL.responseMac ? OPTION.responseMac : 0) | (level & LEVEL.responseEnc ? OPTION.responseEnc : 0);
  if ((option & needs) !== needs)
    throw refused('scp03.level', place, `the card's option ${option.toString(16)} has no such response protection`);
  return known;
}

/** @returns whether the option is one: R-ENC is only there with R-MAC, and other bits are reserved */
export const isOption = (option: number): boolean =>
  (option & ~OPTION_BITS) === 0 && ((option & OPTION.responseEnc) === 0 || (option & OPTION.responseMac) !== 0);

export const macBytesOfOption = (option: number): MacBytes => ((option & OPTION.s16) === 0 ? 8 : 16);
