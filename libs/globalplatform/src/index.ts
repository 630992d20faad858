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
export {
  cardCryptogram,
  contextOf,
  deriveScp03,
  deriveSessionKeys,
  hostCryptogram,
  keyCheckText,
  keyCheckValue,
  type Keyset,
  type MacBytes,
  pseudoRandomChallenge,
  PURPOSE,
  type SessionKeys,
} from './scp03-keys.js';
export { checkLevel, LEVEL, OPTION, SECURITY_LEVELS, type SecurityLevel } from './scp03-level.js';
export {
  type Channel,
  maxPlainBytes,
  unwrapCommand,
  unwrapResponse,
  wrapCommand,
  wrapResponse,
} from './scp03-channel.js';
export {
  acceptHost,
  answerInitializeUpdate,
  authenticate,
  type CardOpening,
  decodeInitializeUpdateAnswer,
  encodeInitializeUpdateAnswer,
  type HalfOpen,
  type HostOpening,
  initializeUpdate,
  type InitializeUpdateAnswer,
  openChannel,
} from './scp03-open.js';
export {
  MAX_SEGMENT_BYTES,
  segmentAuthenticate,
  segmentInitializeUpdate,
  unwrapSegment,
  wrapSegment,
} from './scp03-segment.js';
export {
  type KeyBlockForm,
  putKey,
  type PutKey,
  putKeyAnswer,
  readPutKey,
  type ReceivedKey,
  type ReceivedKeys,
} from './put-key.js';
export { decodeFields, encodeFields } from './length-value.js';
export { install, type Install, type InstallPurpose, type Instance, readInstall } from './install.js';
export {
  type Delete,
  deleteObject,
  getData,
  INSTRUCTION,
  load,
  readDelete,
  readStoreData,
  select,
  storeData,
  type StoreData,
} from './commands.js';
export {
  decodeStatusEntries,
  encodeStatusEntry,
  getStatus,
  type GetStatus,
  LIFE_CYCLE,
  PRIVILEGE,
  privilegeBits,
  readGetStatus,
  readSetStatus,
  setStatus,
  type SetStatus,
  type StatusEntry,
  type StatusScope,
} from './status.js';
export { prepareScript, type Script, type ScriptOrder } from './script.js';
export { deriveAhead, type DerivedSession, type SessionOrder } from './script-session.js';
