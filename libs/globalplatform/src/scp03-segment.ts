import { BLOCK, decryptCbc, encryptBlock, encryptCbc, pad80, unpad80 } from './aes.js';
import { aesCmac } from './aes-cmac.js';
import { decodeTlvs, encodeLength, encodeTlv } from './ber-tlv.js';
import { concat, isSame, NOTHING } from './bytes.js';
import { refused } from './errors.js';
import { type Channel, counterBlock } from './scp03-channel.js';
import { hostCryptogram } from './scp03-keys.js';

/**
 * SCP03t, which carries data objects instead of commands (SGP.02 §4.1.3.3), and its successor, the protected segments of
 * SGP.22 §2.6.4: the C-MAC covers chaining value, tag, length and body; counter and padding are those of SCP03.
 */
const SEGMENT_TAGS = { initializeUpdate: 0x84, externalAuthenticate: 0x85, data: 0x86 };
/** A whole object, header and MAC included; what elements take at least. */
export const MAX_SEGMENT_BYTES = 1_024;

type Chained = Pick<Channel, 'chain' | 'counter' | 'macBytes'> & { keys: Pick<Channel['keys'], 'enc' | 'mac'> };

/** `84`: key version, key identifier, host challenge. */
export const segmentInitializeUpdate = (keyVersion: number, keyId: number, hostChallenge: Uint8Array): Uint8Array =>
  encodeTlv(SEGMENT_TAGS.initializeUpdate, concat(Uint8Array.of(keyVersion, keyId), hostChallenge));

/** `85`: level, host cryptogram, and the MAC that begins the chain. @param session  as openChannel derives it */
export function segmentAuthenticate<T extends Pick<Channel, 'keys' | 'level' | 'macBytes'>>(
  session: T,
  context: Uint8Array,
) {
  const body = concat(Uint8Array.of(session.level), hostCryptogram(session.keys.mac, context));
  const start = { ...session, chain: new Uint8Array(BLOCK), counter: 0 };
  const { chain, bytes } = sealed(start, SEGMENT_TAGS.externalAuthenticate, body);
  return { channel: { ...start, chain }, segment: bytes };
}

function macOf({ keys, chain, macBytes }: Chained, tag: number, body: Uint8Array): Uint8Array {
  return aesCmac(keys.mac, chain, Uint8Array.of(tag), encodeLength(body.length + macBytes), body);
}

function sealed(channel: Chained, tag: number, body: Uint8Array): { chain: Uint8Array; bytes: Uint8Array } {
  const chain = macOf(channel, tag, body);
  return { chain, bytes: encodeTlv(tag, [body, chain.subarray(0, channel.macBytes)]) };
}

const ivOf = (channel: Chained, counter: number): Uint8Array => encryptBlock(channel.keys.enc, counterBlock(counter));

/**
 * One segment, protected.
 * @param how  `isEncrypted: false` is for what anyone may read; it counts all the same
 * @throws GlobalPlatformError `scp03.data-too-long`
 */
export function wrapSegment<T extends Chained>(
  channel: T,
  data: Uint8Array,
  { tag = SEGMENT_TAGS.data, isEncrypted = true }: { tag?: number; isEncrypted?: boolean } = {},
): { channel: T; segment: Uint8Array } {
  const counter = channel.counter + 1;
  const body =
    isEncrypted && data.length > 0 ? encryptCbc(channel.keys.enc, pad80(data), ivOf(channel, counter)) : data;
  const { chain, bytes } = sealed(channel, tag, body);
  if (bytes.length > MAX_SEGMENT_BYTES)
    throw refused(
      'scp03.data-too-long',
      { step: 'wrap segment', input: 'data', length: data.length, limit: MAX_SEGMENT_BYTES },
      `${bytes.length} bytes once protected, at most ${MAX_SEGMENT_BYTES}`,
    );
  return { channel: { ...channel, chain, counter }, segment: bytes };
}

/** The element's side. @throws GlobalPlatformError `scp03.command-mac`, `scp03.padding`, `scp03.not-protected`, and those of decodeTlvs */
export function unwrapSegment<T extends Chained>(
  channel: T,
  segment: Uint8Array,
  { isEncrypted = true }: { isEncrypted?: boolean } = {},
): { channel: T; tag: number; data: Uint8Array } {
  const step = 'unwrap segment';
  const [object, more] = decodeTlvs(segment, { input: 'segment' });
  const at = (object?.value.length ?? 0) - channel.macBytes;
  if (object === undefined || more !== undefined || at < 0)
    throw refused(
      'scp03.not-protected',
      { step, input: 'segment', length: segment.length },
      'not one object with a MAC',
    );
  const body = object.value.subarray(0, at);
  const chain = macOf(channel, object.tag, body);
  const counter = channel.counter + 1;
  if (!isSame(chain.subarray(0, channel.macBytes), object.value.subarray(at)))
    throw refused('scp03.command-mac', { step, input: 'C-MAC', offset: at, counter }, 'not the expected one');
  const next = { ...channel, chain, counter };
  if (!isEncrypted || body.length === 0) return { channel: next, tag: object.tag, data: body };
  const isWhole = body.length % BLOCK === 0;
  const data = isWhole ? unpad80(decryptCbc(channel.keys.enc, body, ivOf(channel, counter))) : undefined;
  if (data === undefined)
    throw refused('scp03.padding', { step, input: 'data', length: body.length }, 'not encrypted whole blocks');
  return { channel: next, tag: object.tag, data: data.length === 0 ? NOTHING : data };
}
