import { type AesKey, BLOCK, decryptCbc, encryptBlock, encryptCbc, pad80, unpad80 } from './aes.js';
import { aesCmac } from './aes-cmac.js';
import { type CommandApdu, lcOf, MAX_DATA_BYTES, type ResponseApdu } from './apdu.js';
import { concat, isSame, NOTHING, uint } from './bytes.js';
import { refused } from './errors.js';
import type { MacBytes, SessionKeys } from './scp03-keys.js';
import { LEVEL, type SecurityLevel } from './scp03-level.js';
import { carriesData } from './status-word.js';

/**
 * One side of a secure channel between two commands. A value: each step answers the next one, and whoever keeps an old one
 * has an old channel. After a refusal the channel is to be forgotten, as a card does.
 * @see GPCS Amendment D §6.2
 */
export interface Channel {
  readonly keys: SessionKeys;
  readonly level: SecurityLevel;
  readonly macBytes: MacBytes;
  /** MAC chaining value: the whole C-MAC of the last command, 16 bytes. */
  readonly chain: Uint8Array;
  /** Encryption counter: commands since EXTERNAL AUTHENTICATE, those without data too. */
  readonly counter: number;
}

/** Bit 3 of the class: protected. */
const SECURE = 0x04;
const WRAP = 'wrap command';
const UNWRAP = 'unwrap command';

/** What a C-MAC covers of the class: the logical channel isn't part of it. */
const macClass = (cla: number): number => (cla & 0xf0) | SECURE;

/** C-MAC of a command whose data is `body` and then the MAC itself: 16 bytes, of which the first travel. */
export function commandMac(
  { keys, chain, macBytes }: Pick<Channel, 'keys' | 'chain' | 'macBytes'>,
  command: CommandApdu,
  body: Uint8Array,
): Uint8Array {
  const { cla, ins, p1, p2, isExtended = false } = command;
  const lc = lcOf(body.length + macBytes, isExtended);
  return aesCmac(keys.mac, chain, Uint8Array.of(macClass(cla), ins, p1, p2), lc, body);
}

/** The block that is encrypted to the IV; the answer to a command has the same but for its first byte. */
export function counterBlock(counter: number, isResponse = false): Uint8Array {
  const block = concat(new Uint8Array(BLOCK - 6), uint(counter, 6));
  if (isResponse) block[0] = 0x80;
  return block;
}

const ivOf = (enc: AesKey, counter: number, isResponse = false): Uint8Array =>
  encryptBlock(enc, counterBlock(counter, isResponse));

/** Most bytes of data that one command takes at this level. */
export function maxPlainBytes({ level, macBytes }: Pick<Channel, 'level' | 'macBytes'>, isExtended = false): number {
  const room = MAX_DATA_BYTES[isExtended ? 'extended' : 'short'] - (level & LEVEL.commandMac ? macBytes : 0);
  return level & LEVEL.commandEnc ? Math.floor(room / BLOCK) * BLOCK - 1 : room;
}

/** The host's side: encrypted and with its C-MAC. @throws GlobalPlatformError `scp03.data-too-long`, `scp03.malformed` */
export function wrapCommand(channel: Channel, command: CommandApdu): { channel: Channel; command: CommandApdu } {
  const { level } = channel;
  const { data = NOTHING } = command;
  if ((level & LEVEL.commandMac) === 0) return { channel, command };
  checkChannelNumber(command, WRAP);
  const limit = maxPlainBytes(channel, command.isExtended);
  if (data.length > limit)
    throw refused(
      'scp03.data-too-long',
      { step: WRAP, input: 'data', length: data.length, limit },
      `over ${limit} bytes`,
    );
  const counter = channel.counter + 1;
  const body = protectedData(channel, data, counter);
  const chain = commandMac(channel, command, body);
  return {
    channel: { ...channel, chain, counter },
    command: { ...command, cla: command.cla | SECURE, data: concat(body, chain.subarray(0, channel.macBytes)) },
  };
}

/** Logical channels 4 to 19 have another class byte, of which Amendment D does not say what the C-MAC covers. */
function checkChannelNumber({ cla }: CommandApdu, step: string): void {
  if ((cla & 0x40) !== 0) throw refused('scp03.malformed', { step, input: 'CLA', cla }, 'a logical channel above 3');
}

const protectedData = ({ keys, level }: Channel, data: Uint8Array, counter: number): Uint8Array =>
  (level & LEVEL.commandEnc) === 0 || data.length === 0
    ? data
    : encryptCbc(keys.enc, pad80(data), ivOf(keys.enc, counter));

/**
 * The card's side: the MAC is compared, in constant time, before anything is decrypted.
 * @throws GlobalPlatformError `scp03.not-protected`, `scp03.command-mac`, `scp03.padding`, `scp03.malformed`: the card answers
 *   6982 and forgets the channel
 */
export function unwrapCommand(channel: Channel, command: CommandApdu): { channel: Channel; command: CommandApdu } {
  const { level, keys, macBytes } = channel;
  const { data = NOTHING } = command;
  if ((level & LEVEL.commandMac) === 0) return { channel, command };
  checkChannelNumber(command, UNWRAP);
  const at = data.length - macBytes;
  if ((command.cla & SECURE) === 0 || at < 0)
    throw refused('scp03.not-protected', { step: UNWRAP, input: 'command', length: data.length }, 'no C-MAC');
  const body = data.subarray(0, at);
  const chain = commandMac(channel, command, body);
  if (!isSame(chain.subarray(0, macBytes), data.subarray(at)))
    throw refused(
      'scp03.command-mac',
      { step: UNWRAP, input: 'C-MAC', offset: at, counter: channel.counter + 1 },
      WRONG,
    );
  const counter = channel.counter + 1;
  const plain = (level & LEVEL.commandEnc) === 0 ? body : decrypted(keys.enc, body, ivOf(keys.enc, counter), UNWRAP);
  const { data: _, ...header } = command;
  const own = { ...header, cla: command.cla & ~SECURE };
  return { channel: { ...channel, chain, counter }, command: plain.length === 0 ? own : { ...own, data: plain } };
}

const WRONG = 'not the expected one: changed, out of order, of another session or of other keys';

function decrypted(enc: AesKey, body: Uint8Array, iv: Uint8Array, step: string): Uint8Array {
  if (body.length === 0) return NOTHING;
  const plain = body.length % BLOCK === 0 ? unpad80(decryptCbc(enc, body, iv)) : undefined;
  if (plain === undefined)
    throw refused('scp03.padding', { step, input: 'data', length: body.length }, 'not encrypted whole blocks');
  return plain;
}

const responseMac = ({ keys, chain, macBytes }: Channel, body: Uint8Array, sw: number): Uint8Array =>
  aesCmac(keys.rmac, chain, body, uint(sw, 2)).subarray(0, macBytes);

/** The card's side, with the channel as the command has left it. An error is told in clear and without data. */
export function wrapResponse(channel: Channel, response: ResponseApdu): ResponseApdu {
  const { level, keys, counter } = channel;
  const { data, sw } = response;
  if ((level & LEVEL.responseMac) === 0) return response;
  if (!carriesData(sw)) return { data: NOTHING, sw };
  const body =
    (level & LEVEL.responseEnc) === 0 || data.length === 0
      ? data
      : encryptCbc(keys.enc, pad80(data), ivOf(keys.enc, counter, true));
  return { data: concat(body, responseMac(channel, body, sw)), sw };
}

/**
 * The host's side, with the channel as wrapCommand has left it. An error status has no MAC: it may be forged, and data with it
 * is refused.
 * @throws GlobalPlatformError `scp03.response-mac`, `scp03.padding`, `scp03.not-protected`
 */
export function unwrapResponse(channel: Channel, response: ResponseApdu): ResponseApdu {
  const { level, keys, counter, macBytes } = channel;
  const { data, sw } = response;
  const step = 'unwrap answer';
  if ((level & LEVEL.responseMac) === 0) return response;
  const at = data.length - macBytes;
  if (!carriesData(sw) && data.length === 0) return response;
  if (!carriesData(sw) || at < 0)
    throw refused(
      'scp03.not-protected',
      { step, input: 'answer', length: data.length, sw },
      'no R-MAC where one must be',
    );
  const body = data.subarray(0, at);
  if (!isSame(responseMac(channel, body, sw), data.subarray(at)))
    throw refused('scp03.response-mac', { step, input: 'R-MAC', offset: at, sw, counter }, WRONG);
  if ((level & LEVEL.responseEnc) === 0) return { data: body, sw };
  return { data: decrypted(keys.enc, body, ivOf(keys.enc, counter, true), step), sw };
}
