import { DomainError } from '#runtime/index.js';

/**
 * - `bytes.hex`: not an even number of hexadecimal digits
 * - `tlv.truncated`, `tlv.tag`, `tlv.length`, `tlv.depth`, `tlv.too-large`, `tlv.missing`: not the data objects that were announced
 * - `dgi.truncated`, `dgi.too-large`, `dgi.number`: not a list of data groupings
 * - `aes.key-length`, `aes.block`: not an AES key, or not whole blocks
 * - `apdu.truncated`, `apdu.length`, `apdu.data-too-long`, `apdu.le`, `apdu.byte`: not a command or an answer of ISO/IEC 7816-4
 * - `apdu.chain`, `apdu.response-chain`: a part that does not belong to what came before it, or parts without end
 * - `aid.length`: an application identifier is 5 to 16 bytes
 * - `status.refused`: the card answered so; `details.sw` is the status word
 * - `scp03.malformed`: not a message of the secure channel protocol 03
 * - `scp03.level`: no security level, or one that the card's option `i` doesn't have
 * - `scp03.challenge`: a challenge that another key, sequence counter or identifier leads to
 * - `scp03.card-cryptogram`, `scp03.host-cryptogram`: the peer doesn't have the same keys
 * - `scp03.command-mac`, `scp03.response-mac`, `scp03.padding`: changed, out of order, or of another session
 * - `scp03.not-protected`: in clear, although the level demands protection
 * - `scp03.data-too-long`: does not fit one command once it is protected
 * - `put-key.malformed`, `put-key.check-value`, `put-key.type`: key blocks that cannot be put
 * - `command.malformed`: a GlobalPlatform command or answer whose data is not as its instruction has it
 * - `script.malformed`, `script.data-too-long`: no script can be prepared of this
 */
export type GlobalPlatformErrorCode =
  | 'bytes.hex'
  | 'tlv.truncated'
  | 'tlv.tag'
  | 'tlv.length'
  | 'tlv.depth'
  | 'tlv.too-large'
  | 'tlv.missing'
  | 'dgi.truncated'
  | 'dgi.too-large'
  | 'dgi.number'
  | 'aes.key-length'
  | 'aes.block'
  | 'apdu.truncated'
  | 'apdu.length'
  | 'apdu.data-too-long'
  | 'apdu.le'
  | 'apdu.byte'
  | 'apdu.chain'
  | 'apdu.response-chain'
  | 'aid.length'
  | 'status.refused'
  | 'scp03.malformed'
  | 'scp03.level'
  | 'scp03.challenge'
  | 'scp03.card-cryptogram'
  | 'scp03.host-cryptogram'
  | 'scp03.command-mac'
  | 'scp03.response-mac'
  | 'scp03.padding'
  | 'scp03.not-protected'
  | 'scp03.data-too-long'
  | 'put-key.malformed'
  | 'put-key.check-value'
  | 'put-key.type'
  | 'command.malformed'
  | 'script.malformed'
  | 'script.data-too-long';

/** Where it went wrong: what was being done, with which input, and where in it (bytes from its beginning). */
export interface Place {
  step: string;
  input: string;
  offset?: number;
  /** Lengths, tags, limits, status words. */
  [more: string]: string | number | undefined;
}

/** A refusal by the card protocol. `details` names step, input and offset, and lengths or tags; never a byte of a key or of a value. */
export class GlobalPlatformError extends DomainError<GlobalPlatformErrorCode> {
  override readonly name = 'GlobalPlatformError';
}

/** @param reason  for people; says lengths, tags and limits, never contents */
export function refused(code: GlobalPlatformErrorCode, place: Place, reason: string): GlobalPlatformError {
  const { step, input, offset } = place;
  const at = offset === undefined ? input : `${input}, byte ${offset}`;
  return new GlobalPlatformError(code, place, `${step}: ${at}: ${reason}`);
}
