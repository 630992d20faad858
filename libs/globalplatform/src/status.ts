import { checkAid } from './aid.js';
import type { CommandApdu } from './apdu.js';
import { decodeTlvs, encodeTlv, needTlv } from './ber-tlv.js';
import { NOTHING, toUint, uint } from './bytes.js';
import { refused } from './errors.js';

/** GET STATUS and SET STATUS (GPCS §11.4 and §11.10). */
export const GET_STATUS = 0xf2;
export const SET_STATUS = 0xf0;

export type StatusScope = 'issuer' | 'applications' | 'load-files' | 'load-files-and-modules';
const SCOPES: Readonly<Record<StatusScope, number>> = {
  issuer: 0x80,
  applications: 0x40,
  'load-files': 0x20,
  'load-files-and-modules': 0x10,
};
const AS_TLV = 0x02;
const NEXT = 0x01;

/** Life cycle states; bit 80 of an application's is its lock, over the state that it had. */
export const LIFE_CYCLE = {
  application: { installed: 0x03, selectable: 0x07, personalized: 0x0f, disabled: 0x1f, enabled: 0x3f, locked: 0x80 },
  card: { opReady: 0x01, initialized: 0x07, secured: 0x0f, locked: 0x7f, terminated: 0xff },
};

export interface StatusEntry {
  readonly aid: Uint8Array;
  readonly state: number;
  /** Three bytes; one in answers of old cards. */
  readonly privileges?: Uint8Array;
  readonly loadFile?: Uint8Array;
  readonly securityDomain?: Uint8Array;
  readonly version?: Uint8Array;
  readonly modules?: readonly Uint8Array[];
}

export interface GetStatus {
  scope: StatusScope;
  /** After 6310: the same question once more. */
  isNext?: boolean;
  /** AID or the beginning of one; absent is every. */
  aid?: Uint8Array;
}

export const getStatus = ({ scope, isNext = false, aid = NOTHING }: GetStatus): CommandApdu => ({
  cla: 0x80,
  ins: GET_STATUS,
  p1: SCOPES[scope],
  p2: AS_TLV | (isNext ? NEXT : 0),
  data: encodeTlv(TAG.aid, aid),
  le: 256,
});

/** The card's side. @throws GlobalPlatformError `command.malformed` (6A80, 6A86), and those of decodeTlvs */
export function readGetStatus({ p1, p2, data = NOTHING }: CommandApdu): Required<GetStatus> {
  const scope = (Object.keys(SCOPES) as StatusScope[]).find((each) => SCOPES[each] === p1);
  if (scope === undefined || (p2 & ~NEXT) !== AS_TLV)
    throw refused('command.malformed', { step: STEP, input: 'P1 P2', p1, p2 }, 'not a question that answers in TLV');
  const { value } = needTlv(decodeTlvs(data, { input: STEP }), TAG.aid, STEP);
  return { scope, isNext: (p2 & NEXT) !== 0, aid: value };
}

const STEP = 'GET STATUS';
const TAG = {
  entry: 0xe3,
  aid: 0x4f,
  state: 0x9f70,
  privileges: 0xc5,
  loadFile: 0xc4,
  securityDomain: 0xcc,
  version: 0xce,
  module: 0x84,
};

const OPTIONAL = ['privileges', 'loadFile', 'version', 'securityDomain'] as const;

export function encodeStatusEntry(entry: StatusEntry): Uint8Array {
  const { aid, state, modules = [] } = entry;
  const optional = OPTIONAL.flatMap((name) => {
    const value = entry[name];
    return value === undefined ? [] : [encodeTlv(TAG[name], value)];
  });
  return encodeTlv(TAG.entry, [
    encodeTlv(TAG.aid, checkAid(aid)),
    encodeTlv(TAG.state, uint(state, 1)),
    ...optional,
    ...modules.map((module) => encodeTlv(TAG.module, module)),
  ]);
}

/** Entries of an answer, or of several in a row. The state may be of two bytes, the first of which counts. @throws GlobalPlatformError those of decodeTlvs, `aid.length` */
export function decodeStatusEntries(data: Uint8Array): readonly StatusEntry[] {
  return decodeTlvs(data, { input: STEP })
    .filter(({ tag }) => tag === TAG.entry)
    .map(({ value, offset }) => {
      const input = `${STEP} entry at byte ${offset}`;
      const objects = decodeTlvs(value, { input });
      const state = needTlv(objects, TAG.state, input).value;
      const modules = objects.filter(({ tag }) => tag === TAG.module).map((each) => each.value);
      const optional = OPTIONAL.flatMap((name) => {
        const found = objects.find(({ tag }) => tag === TAG[name]);
        return found === undefined ? [] : [[name, found.value] as const];
      });
      return {
        aid: checkAid(needTlv(objects, TAG.aid, input).value, input),
        state: state[0] ?? 0,
        ...Object.fromEntries(optional),
        ...(modules.length > 0 ? { modules } : {}),
      };
    });
}

export type SetStatus =
  /** Of the card: 0F secured, 7F locked, FF terminated. */
  | { of: 'card'; state: number }
  /** `isLocked: false` leads back to the state from before. */
  | { of: 'application'; aid: Uint8Array; isLocked: boolean }
  /** With all that belongs to the domain. */
  | { of: 'domain'; aid: Uint8Array; isLocked: boolean };
const STATUS_OF = { card: 0x80, application: 0x40, domain: 0x60 };

/** @throws GlobalPlatformError `aid.length` */
export function setStatus(wanted: SetStatus): CommandApdu {
  const header = { cla: 0x80, ins: SET_STATUS, p1: STATUS_OF[wanted.of] };
  if (wanted.of === 'card') return { ...header, p2: wanted.state };
  return { ...header, p2: wanted.isLocked ? LIFE_CYCLE.application.locked : 0, data: checkAid(wanted.aid) };
}

/** The card's side. @throws GlobalPlatformError `command.malformed` (6A86), `aid.length` (6A80) */
export function readSetStatus({ p1, p2, data = NOTHING }: CommandApdu): SetStatus {
  if (p1 === STATUS_OF.card) return { of: 'card', state: p2 };
  const of = p1 === STATUS_OF.application ? 'application' : p1 === STATUS_OF.domain ? 'domain' : undefined;
  if (of === undefined) throw refused('command.malformed', { step: 'SET STATUS', input: 'P1', p1 }, 'not 40, 60 or 80');
  return { of, aid: checkAid(data), isLocked: (p2 & LIFE_CYCLE.application.locked) !== 0 };
}

/** Privileges as one number, of 3 bytes; of old cards one byte, which is the first of them. */
export const privilegeBits = (privileges: Uint8Array): number =>
  privileges.length === 1 ? toUint(privileges) * 0x10000 : toUint(privileges);

/** GPCS table 6-1: bits of three bytes. */
export const PRIVILEGE = {
  securityDomain: 0x800000,
  dapVerification: 0xc00000,
  delegatedManagement: 0xa00000,
  cardLock: 0x100000,
  cardTerminate: 0x080000,
  cardReset: 0x040000,
  cvmManagement: 0x020000,
  mandatedDap: 0xc10000,
  trustedPath: 0x008000,
  authorizedManagement: 0x004000,
  tokenVerification: 0x002000,
  globalDelete: 0x001000,
  globalLock: 0x000800,
  globalRegistry: 0x000400,
  finalApplication: 0x000200,
  globalService: 0x000100,
  receiptGeneration: 0x000080,
  cipheredLoadFile: 0x000040,
  contactlessActivation: 0x000020,
  contactlessSelfActivation: 0x000010,
};
