import {
  acceptHost,
  AIDS,
  answerInitializeUpdate,
  type Channel,
  type CommandApdu,
  concat,
  encodeInitializeUpdateAnswer,
  encodeStatusEntry,
  encodeTlv,
  fromHex,
  type HalfOpen,
  LEVEL,
  LIFE_CYCLE,
  PRIVILEGE,
  putKeyAnswer,
  readGetStatus,
  readPutKey,
} from '#globalplatform/index.js';
import type { KeyStore } from './key-store.js';
import type { Changes } from './memory-record.js';
import type { CapabilityProfile } from './profile.js';
import { Refusal, SW } from './status-of-refusal.js';

/** What lasts until the next selection or reset. */
export interface Session {
  readonly selected: Uint8Array;
  readonly halfOpen?: HalfOpen & { readonly keyVersion: number };
  readonly channel?: Channel;
  /** Of the keyset that the channel is open with. */
  readonly keyVersion?: number;
}

/** What a command comes to: an answer, what the session is after it, and what must be kept before it is answered. */
export interface Outcome {
  readonly data?: Uint8Array;
  readonly session?: Session;
  readonly changes?: Changes;
}

export interface Around {
  readonly session: Session;
  readonly keys: KeyStore;
  readonly profile: CapabilityProfile;
}

type Handler = (command: CommandApdu, around: Around) => Outcome;

const MOST_SESSIONS = 0xff_ffff;

function selectByName({ p1, p2, data }: CommandApdu, around: Around): Outcome {
  if (p1 !== 0x04 || (p2 & 0xf3) !== 0) throw new Refusal(SW.wrongP1P2);
  const aid = AIDS.issuerSecurityDomain;
  const isMeant = data === undefined || Buffer.from(aid).subarray(0, data.length).equals(data);
  if (!isMeant) throw new Refusal(SW.notFound);
  const maxData = encodeTlv(0xa5, encodeTlv(0x9f65, Uint8Array.of(0xff)));
  return {
    data: encodeTlv(0x6f, concat(encodeTlv(0x84, aid), maxData)),
    session: { selected: around.session.selected },
  };
}

/** 1.2.840.114283 and what comes below it (GPCS appendix H). */
const OID = '2a864886fc6b';

/** @returns the value of the object 66 */
function recognitionData({ option }: CapabilityProfile): Uint8Array {
  const object = (tag: number, oid: string) => encodeTlv(tag, encodeTlv(0x06, fromHex(oid)));
  const protocol = object(0x64, `${OID}0403${option.toString(16).padStart(2, '0')}`);
  const parts = [
    encodeTlv(0x06, fromHex(`${OID}01`)),
    object(0x60, `${OID}02020301`),
    object(0x63, `${OID}03`),
    protocol,
  ];
  return encodeTlv(0x73, parts);
}

const AES = 0x88;

/** @returns the value of the object E0 */
const keyInformation = (keys: KeyStore): Uint8Array =>
  concat(
    ...keys
      .information()
      .map(({ keyId, keyVersion, bytes }) => encodeTlv(0xc0, Uint8Array.of(keyId, keyVersion, AES, bytes))),
  );

function getData({ p1, p2 }: CommandApdu, around: Around): Outcome {
  const { keys, profile } = around;
  const tag = p1 * 256 + p2;
  const value = tag === 0x66 ? recognitionData(profile) : tag === 0xe0 ? keyInformation(keys) : undefined;
  if (value === undefined) throw new Refusal(SW.noSuchData);
  return { data: profile.dataObjects === 'in-tag' ? encodeTlv(tag, value) : value };
}

/** The session counts from here on, whether the host proves itself or not: a challenge never comes twice. */
function initializeUpdate(command: CommandApdu, { session, keys, profile }: Around): Outcome {
  if (command.p2 !== 0) throw new Refusal(SW.wrongP1P2);
  const keyVersion = command.p1 === 0 ? keys.defaultVersion : command.p1;
  const keyset = keyVersion === undefined ? undefined : keys.keyset(keyVersion);
  if (keyVersion === undefined || keyset === undefined) throw new Refusal(SW.noSuchData);
  const sequenceCounter = keys.sequenceCounter(keyVersion) + 1;
  if (sequenceCounter > MOST_SESSIONS) throw new Refusal(SW.conditions);
  const card = { keyset, keyVersion, option: profile.option, aid: session.selected, sequenceCounter };
  const { answer, halfOpen } = answerInitializeUpdate(card, command);
  return {
    data: encodeInitializeUpdateAnswer(answer),
    session: { selected: session.selected, halfOpen: { ...halfOpen, keyVersion } },
    changes: keys.counted(keyVersion, sequenceCounter),
  };
}

function externalAuthenticate(command: CommandApdu, { session }: Around): Outcome {
  const { selected, halfOpen } = session;
  if (halfOpen === undefined) throw new Refusal(SW.conditions);
  return { session: { selected, channel: acceptHost(halfOpen, command), keyVersion: halfOpen.keyVersion } };
}

const KEYSET = [1, 2, 3];

function putKeys(command: CommandApdu, { session, keys }: Around): Outcome {
  const own = keys.keyset(session.keyVersion ?? 0);
  if (own === undefined) throw new Refusal(SW.notAuthenticated);
  const received = readPutKey(command, own.dek);
  const { replaces, keyVersion } = received;
  if (received.keys.map(({ keyId }) => keyId).join() !== KEYSET.join()) throw new Refusal(SW.wrongData);
  if (replaces !== 0 && keys.keyset(replaces) === undefined) throw new Refusal(SW.noSuchData);
  // A version that is there would be overwritten without having been named.
  if (keyVersion !== replaces && keys.keyset(keyVersion) !== undefined) throw new Refusal(SW.wrongData);
  const isOwn = replaces === session.keyVersion;
  return {
    data: putKeyAnswer(received),
    changes: keys.put(received),
    session: isOwn ? { ...session, keyVersion } : session,
  };
}

function getStatus(command: CommandApdu, { session }: Around): Outcome {
  const { scope, aid } = readGetStatus(command);
  const isMeant = Buffer.from(session.selected).subarray(0, aid.length).equals(aid);
  if (scope !== 'issuer' || !isMeant) throw new Refusal(SW.noSuchData);
  const bits = PRIVILEGE.securityDomain | PRIVILEGE.cardLock | PRIVILEGE.cardTerminate | PRIVILEGE.globalRegistry;
  const privileges = Uint8Array.of(bits >> 16, (bits >> 8) & 0xff, bits & 0xff);
  return { data: encodeStatusEntry({ aid: session.selected, state: LIFE_CYCLE.card.secured, privileges }) };
}

/** By instruction; those that want a channel are refused without one. */
const HANDLERS: ReadonlyMap<number, { handle: Handler; needsChannel?: true }> = new Map([
  [0xa4, { handle: selectByName }],
  [0xca, { handle: getData }],
  [0x50, { handle: initializeUpdate }],
  [0x82, { handle: externalAuthenticate }],
  [0xd8, { handle: putKeys, needsChannel: true }],
  [0xf2, { handle: getStatus, needsChannel: true }],
]);

/** @throws Refusal, GlobalPlatformError */
export function perform(command: CommandApdu, around: Around): Outcome {
  const known = HANDLERS.get(command.ins);
  if (known === undefined) throw new Refusal(SW.instruction);
  const { channel } = around.session;
  if (known.needsChannel === true && ((channel?.level ?? 0) & LEVEL.commandMac) === 0)
    throw new Refusal(SW.notAuthenticated);
  return known.handle(command, around);
}
