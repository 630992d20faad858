import { checkAid } from './aid.js';
import { type CommandApdu, MAX_DATA_BYTES } from './apdu.js';
import { decodeTlvs, encodeTlv } from './ber-tlv.js';
import { concat, NOTHING, toUint, uint } from './bytes.js';
import { refused } from './errors.js';

/** What is said to a card besides INSTALL, PUT KEY and GET STATUS (GPCS §11). Class 80, or 00 where ISO has the command. */
export const INSTRUCTION = { select: 0xa4, getData: 0xca, delete: 0xe4, load: 0xe8, storeData: 0xe2, setStatus: 0xf0 };

/** No AID selects the issuer security domain. @throws GlobalPlatformError `aid.length` */
export function select(aid?: Uint8Array): CommandApdu {
  const header = { cla: 0x00, ins: INSTRUCTION.select, p1: 0x04, p2: 0x00, le: 256 };
  return aid === undefined ? header : { ...header, data: checkAid(aid) };
}

/** @param tag  of one byte or two: 0x66 card recognition data, 0xe0 keys, 0x9f7f CPLC, 0xff21 resources */
export function getData(tag: number, data?: Uint8Array): CommandApdu {
  const [p1, p2] = uint(tag, 2) as unknown as [number, number];
  return { cla: 0x80, ins: INSTRUCTION.getData, p1, p2, data, le: 256 };
}

export type Delete =
  | { aid: Uint8Array; withRelated?: boolean; token?: Uint8Array; isProfile?: boolean }
  /** One of both, or both: a key, or all keys of a version. */
  | { keyId?: number; keyVersion?: number };

const WITH_RELATED = 0x80;
/** SGP.02 §4.1.1.9: of an ISD-P. */
const PROFILE = 0x40;
const TAG = { aid: 0x4f, token: 0x9e, keyId: 0xd0, keyVersion: 0xd2 };

/** @throws GlobalPlatformError `aid.length`, `command.malformed` */
export function deleteObject(wanted: Delete): CommandApdu {
  const header = { cla: 0x80, ins: INSTRUCTION.delete, p1: 0, le: 256 };
  if ('aid' in wanted) {
    const { aid, withRelated = false, isProfile = false, token } = wanted;
    const parts = [encodeTlv(TAG.aid, checkAid(aid)), ...(token === undefined ? [] : [encodeTlv(TAG.token, token)])];
    const p2 = (withRelated ? WITH_RELATED : 0) | (isProfile ? PROFILE : 0);
    return { ...header, p2, data: concat(...parts) };
  }
  const { keyId, keyVersion } = wanted;
  if (keyId === undefined && keyVersion === undefined)
    throw refused('command.malformed', { step: 'DELETE', input: 'keyId' }, 'neither a key nor a version');
  const parts = [
    ...(keyId === undefined ? [] : [encodeTlv(TAG.keyId, Uint8Array.of(keyId))]),
    ...(keyVersion === undefined ? [] : [encodeTlv(TAG.keyVersion, Uint8Array.of(keyVersion))]),
  ];
  return { ...header, p2: 0, data: concat(...parts) };
}

/** The card's side. @throws GlobalPlatformError `command.malformed` (6A80), `aid.length`, and those of decodeTlvs */
export function readDelete({ p2, data = NOTHING }: CommandApdu): Delete {
  const step = 'DELETE';
  const objects = new Map(decodeTlvs(data, { input: step }).map(({ tag, value }) => [tag, value]));
  const [aid, token] = [objects.get(TAG.aid), objects.get(TAG.token)];
  if (aid !== undefined) {
    const flags = { withRelated: (p2 & WITH_RELATED) !== 0, isProfile: (p2 & PROFILE) !== 0 };
    return { aid: checkAid(aid), ...flags, ...(token === undefined ? {} : { token }) };
  }
  const [keyId, keyVersion] = [objects.get(TAG.keyId), objects.get(TAG.keyVersion)];
  if ((keyId ?? keyVersion) === undefined || (keyId ?? keyVersion)?.length !== 1 || (keyVersion?.length ?? 1) !== 1)
    throw refused('command.malformed', { step, input: 'data' }, 'no AID, and no key of one byte');
  return {
    ...(keyId === undefined ? {} : { keyId: toUint(keyId) }),
    ...(keyVersion === undefined ? {} : { keyVersion: toUint(keyVersion) }),
  };
}

const LAST_BLOCK = 0x80;
const MAX_BLOCKS = 256;

/** Data in numbered blocks, the last one marked. */
function blocksOf(data: Uint8Array, blockBytes: number, step: string): readonly Uint8Array[] {
  if (!Number.isInteger(blockBytes) || blockBytes < 1 || blockBytes > MAX_DATA_BYTES.short)
    throw refused('command.malformed', { step, input: 'blockBytes' }, 'not 1 to 255');
  const count = Math.max(1, Math.ceil(data.length / blockBytes));
  if (count > MAX_BLOCKS)
    throw refused('command.malformed', { step, input: 'data', length: data.length }, `more than ${MAX_BLOCKS} blocks`);
  return Array.from({ length: count }, (_, i) => data.subarray(i * blockBytes, (i + 1) * blockBytes));
}

/**
 * LOAD of a load file in blocks.
 * @param blockBytes  what a command takes at the level of the channel: maxPlainBytes
 * @throws GlobalPlatformError `command.malformed`, `tlv.too-large`
 */
export function load(loadFile: Uint8Array, blockBytes: number): readonly CommandApdu[] {
  const blocks = blocksOf(encodeTlv(0xc4, loadFile), blockBytes, 'LOAD');
  return blocks.map((data, p2) => {
    const p1 = p2 === blocks.length - 1 ? LAST_BLOCK : 0;
    return { cla: 0x80, ins: INSTRUCTION.load, p1, p2, data, le: 256 };
  });
}

export interface StoreData {
  /** How the data is built; the card may have to know. */
  structure?: 'none' | 'dgi' | 'ber-tlv';
  /** Encrypted under Key-DEK: all of it, or the parts that the application knows. */
  encryption?: 'none' | 'application' | 'all';
  /** ISO case 4: an answer with data may come. */
  mayAnswer?: boolean;
  /** Of the first block, if others came before. */
  firstBlock?: number;
  blockBytes: number;
}

const STRUCTURE = { none: 0x00, dgi: 0x08, 'ber-tlv': 0x10 };
const ENCRYPTION = { none: 0x00, application: 0x20, all: 0x60 };
const MAY_ANSWER = 0x01;

/** STORE DATA in blocks, counting on. @throws GlobalPlatformError `command.malformed` */
export function storeData(data: Uint8Array, how: StoreData): readonly CommandApdu[] {
  const { structure = 'none', encryption = 'none', mayAnswer = false, firstBlock = 0, blockBytes } = how;
  const blocks = blocksOf(data, blockBytes, 'STORE DATA');
  if (firstBlock + blocks.length > MAX_BLOCKS)
    throw refused('command.malformed', { step: 'STORE DATA', input: 'firstBlock' }, `more than ${MAX_BLOCKS} blocks`);
  const flags = STRUCTURE[structure] | ENCRYPTION[encryption] | (mayAnswer ? MAY_ANSWER : 0);
  return blocks.map((block, i) => {
    const p1 = flags | (i === blocks.length - 1 ? LAST_BLOCK : 0);
    const header = { cla: 0x80, ins: INSTRUCTION.storeData, p1, p2: firstBlock + i, data: block };
    return mayAnswer ? { ...header, le: 256 } : header;
  });
}

/** What P1 and P2 of a STORE DATA say, at the card. */
export function readStoreData({ p1, p2, data = NOTHING }: CommandApdu): Required<
  Omit<StoreData, 'blockBytes' | 'firstBlock'>
> & {
  block: number;
  isLast: boolean;
  data: Uint8Array;
} {
  const structure = nameOf(STRUCTURE, p1 & 0x18, 'STORE DATA');
  const encryption = nameOf(ENCRYPTION, p1 & 0x60, 'STORE DATA');
  return {
    structure,
    encryption,
    mayAnswer: (p1 & MAY_ANSWER) !== 0,
    block: p2,
    isLast: (p1 & LAST_BLOCK) !== 0,
    data,
  };
}

function nameOf<Name extends string>(names: Readonly<Record<Name, number>>, value: number, step: string): Name {
  const found = (Object.keys(names) as Name[]).find((each) => names[each] === value);
  if (found === undefined) throw refused('command.malformed', { step, input: 'P1', value }, 'reserved bits');
  return found;
}
