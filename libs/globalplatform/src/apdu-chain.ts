import { type CommandApdu, decodeResponse, encodeApdu, MAX_DATA_BYTES, type ResponseApdu } from './apdu.js';
import { concat, NOTHING } from './bytes.js';
import { refused } from './errors.js';

/** ISO/IEC 7816-4 §5.1.1.1: bit 5 of the class says that more of the same command follows. */
const MORE_FOLLOWS = 0x10;
/** Of both directions; what a peer may make us keep. */
const MAX_CHAINED_BYTES = 65_536;
const GET_RESPONSE = 0xc0;

/** One command in parts of `partBytes` at most; the last one alone asks for data. @throws GlobalPlatformError `apdu.chain` */
export function chainCommand(command: CommandApdu, partBytes = MAX_DATA_BYTES.short): readonly CommandApdu[] {
  const { data = NOTHING, le: _, isExtended: __, ...header } = command;
  if (!Number.isInteger(partBytes) || partBytes < 1 || partBytes > MAX_DATA_BYTES.short)
    throw refused('apdu.chain', { step: 'chain command', input: 'partBytes' }, 'not 1 to 255');
  const count = Math.max(1, Math.ceil(data.length / partBytes));
  return Array.from({ length: count }, (_, i): CommandApdu => {
    const part = data.subarray(i * partBytes, (i + 1) * partBytes);
    const own = part.length === 0 ? header : { ...header, data: part };
    if (i < count - 1) return { ...own, cla: header.cla | MORE_FOLLOWS };
    return command.le === undefined ? own : { ...own, le: Math.min(command.le, 256) };
  });
}

/** A chain of which the end has not come yet. */
export type OpenChain = CommandApdu;

/**
 * The card's side: takes one part more.
 * @returns the whole command once its last part is there, and until then the chain to hand in again
 * @throws GlobalPlatformError `apdu.chain`, and the chain is to be forgotten (6883)
 */
export function joinChain(
  open: OpenChain | undefined,
  part: CommandApdu,
): { open: OpenChain; command?: undefined } | { open?: undefined; command: CommandApdu } {
  const { data = NOTHING, ...header } = part;
  const cla = part.cla & ~MORE_FOLLOWS;
  const place = { step: 'join command chain', input: 'command' };
  if (open !== undefined && !(open.cla === cla && open.ins === part.ins && open.p1 === part.p1 && open.p2 === part.p2))
    throw refused('apdu.chain', place, 'another command than the one whose chain is open');
  const whole = concat(open?.data ?? NOTHING, data);
  if (whole.length > MAX_CHAINED_BYTES)
    throw refused('apdu.chain', { ...place, length: whole.length }, `more than ${MAX_CHAINED_BYTES} bytes`);
  if ((part.cla & MORE_FOLLOWS) !== 0) return { open: { cla, ins: part.ins, p1: part.p1, p2: part.p2, data: whole } };
  return { command: whole.length === 0 ? { ...header, cla } : { ...header, cla, data: whole } };
}

export interface Transmission {
  /** Sends data over 255 bytes in parts; else only a command in the extended form may have them. */
  isChaining?: boolean;
}

/**
 * The host's side of one command: in parts if need be, again with the right Le after 6Cxx, and GET RESPONSE after 61xx.
 * Yields what goes to the card, takes what the card answers.
 * @throws GlobalPlatformError `apdu.response-chain`, if the card doesn't come to an end; those of encodeApdu and decodeResponse
 */
export function* transmit(
  command: CommandApdu,
  { isChaining = false }: Transmission = {},
): Generator<Uint8Array, ResponseApdu, Uint8Array> {
  const isLong = (command.data?.length ?? 0) > MAX_DATA_BYTES.short && command.isExtended !== true;
  const parts = isLong && isChaining ? chainCommand(command) : [command];
  for (const part of parts.slice(0, -1)) {
    const answer = decodeResponse(yield encodeApdu(part));
    if (answer.sw !== 0x9000) return answer;
  }
  const last = parts.at(-1)!;
  let answer = decodeResponse(yield encodeApdu(last));
  if (answer.sw >> 8 === 0x6c) answer = decodeResponse(yield encodeApdu({ ...last, le: answer.sw & 0xff || 256 }));
  return yield* collect(answer, last.cla & 0x03);
}

function* collect(first: ResponseApdu, channel: number): Generator<Uint8Array, ResponseApdu, Uint8Array> {
  const parts = [first.data];
  let { sw } = first;
  let total = first.data.length;
  while (sw >> 8 === 0x61) {
    const getResponse = { cla: channel, ins: GET_RESPONSE, p1: 0, p2: 0, le: sw & 0xff || 256 };
    const next = decodeResponse(yield encodeApdu(getResponse));
    total += next.data.length;
    if (total > MAX_CHAINED_BYTES || (next.data.length === 0 && next.sw >> 8 === 0x61))
      throw refused('apdu.response-chain', { step: 'get response', input: 'answer', length: total }, 'it has no end');
    parts.push(next.data);
    sw = next.sw;
  }
  return { data: parts.length === 1 ? first.data : concat(...parts), sw };
}

/**
 * The card's side of an answer that is longer than what was asked for.
 * @returns what is answered now, with 61xx, and what a GET RESPONSE gets next
 */
export function splitResponse(response: ResponseApdu, le: number): { now: ResponseApdu; rest?: ResponseApdu } {
  const { data, sw } = response;
  if (data.length <= le) return { now: response };
  const rest = data.subarray(le);
  return {
    now: { data: data.subarray(0, le), sw: 0x6100 | (rest.length > 255 ? 0 : rest.length) },
    rest: { data: rest, sw },
  };
}
