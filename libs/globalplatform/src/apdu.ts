import { concat, NOTHING, uint } from './bytes.js';
import { refused } from './errors.js';

/** A command (ISO/IEC 7816-4 §5.1): cases 1 to 4, by whether it has data and whether it asks for some. */
export interface CommandApdu {
  readonly cla: number;
  readonly ins: number;
  readonly p1: number;
  readonly p2: number;
  readonly data?: Uint8Array;
  /** The most bytes that may be answered: 1 to 256, or to 65,536 in the extended form. Absent: none are asked for. */
  readonly le?: number;
  /** Lengths of two bytes, so that data may be of 65,535. Never chosen by itself: not every card knows it. */
  readonly isExtended?: boolean;
}

export interface ResponseApdu {
  readonly data: Uint8Array;
  /** Status word: 0x9000. */
  readonly sw: number;
}

/** Most bytes of data in one command. */
export const MAX_DATA_BYTES = { short: 255, extended: 65_535 };
const MAX_LE = { short: 256, extended: 65_536 };
const ENCODE = 'encode APDU';
const DECODE = 'decode APDU';

/** @throws GlobalPlatformError `apdu.data-too-long`, `apdu.le`, `apdu.byte` */
export function encodeApdu(command: CommandApdu): Uint8Array {
  const { cla, ins, p1, p2, data = NOTHING, le, isExtended = false } = command;
  const form = isExtended ? 'extended' : 'short';
  if (data.length > MAX_DATA_BYTES[form])
    throw refused(
      'apdu.data-too-long',
      { step: ENCODE, input: 'data', length: data.length, limit: MAX_DATA_BYTES[form] },
      `${data.length} bytes, at most ${MAX_DATA_BYTES[form]} in the ${form} form`,
    );
  if (le !== undefined && !(Number.isInteger(le) && le >= 1 && le <= MAX_LE[form]))
    throw refused('apdu.le', { step: ENCODE, input: 'le', limit: MAX_LE[form] }, `not 1 to ${MAX_LE[form]}`);
  checkHeader({ cla, ins, p1, p2 });
  return concat(
    Uint8Array.of(cla, ins, p1, p2),
    data.length === 0 ? NOTHING : lcOf(data.length, isExtended),
    data,
    le === undefined ? NOTHING : leOf(le, isExtended, data.length > 0),
  );
}

function checkHeader(header: Pick<CommandApdu, 'cla' | 'ins' | 'p1' | 'p2'>): void {
  for (const [input, byte] of Object.entries(header))
    if (!Number.isInteger(byte) || byte < 0 || byte > 0xff)
      throw refused('apdu.byte', { step: ENCODE, input }, 'no byte');
}

/** Lc as it stands in the command, and in what a C-MAC covers. */
export const lcOf = (length: number, isExtended: boolean): Uint8Array =>
  isExtended ? concat(Uint8Array.of(0), uint(length, 2)) : uint(length, 1);

/** The greatest Le travels as zeros. Extended and without Lc before it, it is of three bytes. */
const leOf = (le: number, isExtended: boolean, hasData: boolean): Uint8Array =>
  isExtended ? uint(le % 65_536, hasData ? 2 : 3) : uint(le % 256, 1);

/** @throws GlobalPlatformError `apdu.truncated`, `apdu.length` */
export function decodeApdu(bytes: Uint8Array, input = 'command'): CommandApdu {
  const [cla, ins, p1, p2, b5] = bytes;
  const { length } = bytes;
  if (cla === undefined || ins === undefined || p1 === undefined || p2 === undefined)
    throw refused('apdu.truncated', { step: DECODE, input, offset: length }, 'a command has 4 bytes at least');
  const header = { cla, ins, p1, p2 };
  if (b5 === undefined) return header;
  if (length === 5) return { ...header, le: b5 === 0 ? 256 : b5 };
  if (b5 === 0) return { ...header, ...extendedBody(bytes, input) };
  const rest = length - 5 - b5;
  if (rest < 0)
    throw refused('apdu.truncated', { step: DECODE, input, offset: 4 }, `Lc says ${b5} bytes, ${length - 5} are there`);
  if (rest > 1) throw refused('apdu.length', { step: DECODE, input, offset: 5 + b5 }, `${rest} bytes after the data`);
  const data = bytes.subarray(5, 5 + b5);
  return rest === 0 ? { ...header, data } : { ...header, data, le: bytes[length - 1]! || 256 };
}

function extendedBody(bytes: Uint8Array, input: string): Pick<CommandApdu, 'data' | 'le' | 'isExtended'> {
  const { length } = bytes;
  if (length < 7) throw refused('apdu.length', { step: DECODE, input, offset: 4 }, 'an Lc of zero');
  const first = bytes[5]! * 256 + bytes[6]!;
  if (length === 7) return { le: first === 0 ? 65_536 : first, isExtended: true };
  if (first === 0) throw refused('apdu.length', { step: DECODE, input, offset: 5 }, 'an extended Lc of zero');
  const rest = length - 7 - first;
  if (rest < 0)
    throw refused(
      'apdu.truncated',
      { step: DECODE, input, offset: 5 },
      `Lc says ${first} bytes, ${length - 7} are there`,
    );
  if (rest !== 0 && rest !== 2)
    throw refused('apdu.length', { step: DECODE, input, offset: 7 + first }, `${rest} bytes after the data`);
  const data = bytes.subarray(7, 7 + first);
  if (rest === 0) return { data, isExtended: true };
  return { data, le: bytes[length - 2]! * 256 + bytes[length - 1]! || 65_536, isExtended: true };
}

export const encodeResponse = ({ data, sw }: ResponseApdu): Uint8Array => concat(data, uint(sw, 2));

/** @throws GlobalPlatformError `apdu.truncated`, `apdu.length` */
export function decodeResponse(bytes: Uint8Array, input = 'answer'): ResponseApdu {
  const end = bytes.length - 2;
  const step = 'decode answer';
  if (end < 0) throw refused('apdu.truncated', { step, input, offset: bytes.length }, 'no status word');
  if (end > MAX_LE.extended)
    throw refused('apdu.length', { step, input, length: bytes.length }, `more than ${MAX_LE.extended} bytes of data`);
  return { data: bytes.subarray(0, end), sw: bytes[end]! * 256 + bytes[end + 1]! };
}
