import type { ResponseApdu } from './apdu.js';
import { refused } from './errors.js';

/** What a card says with a status word: ISO/IEC 7816-4 §5.1.3 and GlobalPlatform Card Specification §11. */
const MEANINGS: Readonly<Record<number, string>> = {
  0x9000: 'done',
  0x6200: 'done, with a warning: nothing more is told',
  0x6283: 'done, with a warning: the selected object is locked',
  0x6300: 'authentication of the host failed',
  0x6310: 'more data available',
  0x6400: 'no specific diagnosis; nothing was changed',
  0x6438: 'imported package not available',
  0x6581: 'memory failure',
  0x6600: 'security issue, not told which',
  0x6700: 'wrong length',
  0x6881: 'logical channel not supported or not open',
  0x6882: 'secure messaging not supported',
  0x6883: 'the last command of the chain was expected',
  0x6884: 'command chaining not supported',
  0x6982: 'security status not satisfied',
  0x6983: 'authentication blocked',
  0x6985: 'conditions of use not satisfied',
  0x6987: 'secure messaging object missing',
  0x6988: 'secure messaging object incorrect',
  0x6999: 'selection refused by the application',
  0x69e1: 'refused by the profile policy (POL1)',
  0x6a80: 'wrong data',
  0x6a81: 'function not supported, or the card is locked',
  0x6a82: 'application or file not found',
  0x6a84: 'not enough memory',
  0x6a86: 'wrong P1 or P2',
  0x6a88: 'referenced data or key not found',
  0x6a89: 'exists already',
  0x6b00: 'wrong P1 or P2',
  0x6d00: 'instruction not supported',
  0x6e00: 'class not supported',
  0x6f00: 'no precise diagnosis',
  0x9484: 'algorithm not supported',
  0x9485: 'wrong key check value',
};

const FAMILIES: Readonly<Record<number, string>> = {
  0x61: 'more bytes of the answer are waiting',
  0x62: 'done, with a warning',
  0x63: 'done, with a warning',
  0x64: 'failed; nothing was changed',
  0x65: 'failed; something was changed',
  0x66: 'security issue',
  0x67: 'wrong length',
  0x68: 'class function not supported',
  0x69: 'not allowed',
  0x6a: 'wrong parameters',
  0x6c: 'wrong Le; the right one is in the second byte',
};

/** For people: `6A88 referenced data or key not found`. */
export function describeStatus(sw: number): string {
  const digits = sw.toString(16).toUpperCase().padStart(4, '0');
  if (sw >> 4 === 0x63c) return `${digits} verification failed, ${sw & 0x0f} attempts left`;
  return `${digits} ${MEANINGS[sw] ?? FAMILIES[sw >> 8] ?? 'not told by any document'}`;
}

/** Only these answers carry data and an R-MAC: done, or done with a warning (GPCS Amendment D §6.2.5). */
export const carriesData = (sw: number): boolean => sw === 0x9000 || sw >> 8 === 0x62 || sw >> 8 === 0x63;

/** @returns the data of an answer with 9000 @throws GlobalPlatformError `status.refused`, with the status word and what it means */
export function needDone({ data, sw }: ResponseApdu, step: string): Uint8Array {
  if (sw !== 0x9000) throw refused('status.refused', { step, input: 'answer', sw }, describeStatus(sw));
  return data;
}
