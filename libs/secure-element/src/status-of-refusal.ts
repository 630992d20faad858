import { GlobalPlatformError, type GlobalPlatformErrorCode } from '#globalplatform/index.js';
import { ElementError } from './errors.js';

export const SW = {
  done: 0x9000,
  hostRefused: 0x6300,
  memoryFailure: 0x6581,
  wrongLength: 0x6700,
  noChannels: 0x6881,
  chainBroken: 0x6883,
  notAuthenticated: 0x6982,
  conditions: 0x6985,
  wrongData: 0x6a80,
  notFound: 0x6a82,
  memoryFull: 0x6a84,
  wrongP1P2: 0x6a86,
  noSuchData: 0x6a88,
  instruction: 0x6d00,
  cla: 0x6e00,
  unknown: 0x6f00,
  algorithm: 0x9484,
  checkValue: 0x9485,
} as const;

/** What a card answers for a refusal of the protocol (GPCS §11, Amendment D §7.1). */
const BY_CODE: Partial<Record<GlobalPlatformErrorCode, number>> = {
  'apdu.truncated': SW.wrongLength,
  'apdu.length': SW.wrongLength,
  'apdu.chain': SW.chainBroken,
  'scp03.host-cryptogram': SW.hostRefused,
  'scp03.command-mac': SW.notAuthenticated,
  'scp03.not-protected': SW.notAuthenticated,
  'scp03.padding': SW.notAuthenticated,
  'scp03.level': SW.wrongP1P2,
  'scp03.malformed': SW.wrongData,
  'put-key.check-value': SW.checkValue,
  'put-key.type': SW.algorithm,
};

/** A refusal is an answer: nothing of it goes further. What is none is a fault of ours, and answered as one. */
export function statusOf(error: unknown): number {
  if (error instanceof GlobalPlatformError) return BY_CODE[error.code] ?? SW.wrongData;
  if (error instanceof Refusal) return error.sw;
  if (error instanceof ElementError) return error.code === 'memory.full' ? SW.memoryFull : SW.memoryFailure;
  return SW.unknown;
}

/** A command that ends with a status word and changes nothing. */
export class Refusal extends Error {
  constructor(readonly sw: number) {
    super(`refused with ${sw.toString(16)}`);
  }
}
