/** The card protocol of GlobalPlatform, pure: bytes in, bytes or a typed refusal out. */
export { GlobalPlatformError, type GlobalPlatformErrorCode } from './errors.js';
export { concat, fromHex, isSame, toHex } from './bytes.js';
export {
  decodeTlv,
  decodeTlvs,
  decodeTlvTree,
  encodeLength,
  encodeTlv,
  needTlv,
  type Tlv,
  TLV_LIMITS,
  type TlvOptions,
  type TlvTree,
} from './ber-tlv.js';
export { decodeDgis, type Dgi, encodeDgi } from './dgi.js';
export { type AesKey } from './aes.js';
export { aesCmac } from './aes-cmac.js';
export {
  type CommandApdu,
  decodeApdu,
  decodeResponse,
  encodeApdu,
  encodeResponse,
  MAX_DATA_BYTES,
  type ResponseApdu,
} from './apdu.js';
export { chainCommand, joinChain, type OpenChain, splitResponse, type Transmission, transmit } from './apdu-chain.js';
export { AIDS, checkAid, isdPAid } from './aid.js';
export { carriesData, describeStatus, needDone } from './status-word.js';
