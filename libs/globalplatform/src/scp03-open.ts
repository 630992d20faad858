import { BLOCK } from './aes.js';
import type { CommandApdu } from './apdu.js';
import { concat, isSame, NOTHING, toUint, uint } from './bytes.js';
import { refused } from './errors.js';
import { type Channel, commandMac } from './scp03-channel.js';
import {
  cardCryptogram,
  contextOf,
  deriveSessionKeys,
  hostCryptogram,
  type Keyset,
  macBytesOf,
  pseudoRandomChallenge,
} from './scp03-keys.js';
import { checkLevel, isOption, macBytesOfOption, OPTION } from './scp03-level.js';

/** Answer to INITIALIZE UPDATE (GPCS Amendment D §7.1.1.5). */
export interface InitializeUpdateAnswer {
  /** Key diversification data, 10 bytes that the protocol doesn't use. */
  readonly diversification: Uint8Array;
  readonly keyVersion: number;
  /** The option `i`. */
  readonly option: number;
  readonly cardChallenge: Uint8Array;
  readonly cardCryptogram: Uint8Array;
  /** Only where the challenge is pseudo-random. */
  readonly sequenceCounter?: number;
}

const SCP03 = 0x03;
const DIVERSIFICATION = 10;
export const INITIALIZE_UPDATE = 0x50;
export const EXTERNAL_AUTHENTICATE = 0x82;
const STEP = 'INITIALIZE UPDATE';

/** @param keyVersion  0 is the card's own choice @param hostChallenge  8 bytes (S8) or 16 (S16), new for each session */
export function initializeUpdate(keyVersion: number, hostChallenge: Uint8Array): CommandApdu {
  macBytesOf(hostChallenge, 'host challenge');
  return { cla: 0x80, ins: INITIALIZE_UPDATE, p1: keyVersion, p2: 0, data: hostChallenge, le: 256 };
}

export function encodeInitializeUpdateAnswer(answer: InitializeUpdateAnswer): Uint8Array {
  const { diversification, keyVersion, option, sequenceCounter } = answer;
  return concat(
    diversification,
    Uint8Array.of(keyVersion, SCP03, option),
    answer.cardChallenge,
    answer.cardCryptogram,
    sequenceCounter === undefined ? NOTHING : uint(sequenceCounter, 3),
  );
}

/** @throws GlobalPlatformError `scp03.malformed` */
export function decodeInitializeUpdateAnswer(data: Uint8Array): InitializeUpdateAnswer {
  const input = 'answer';
  const [keyVersion, protocol, option] = data.subarray(DIVERSIFICATION);
  if (keyVersion === undefined || protocol === undefined || option === undefined)
    throw refused('scp03.malformed', { step: STEP, input, offset: data.length }, 'it ends here');
  if (protocol !== SCP03)
    throw refused('scp03.malformed', { step: STEP, input, offset: 11 }, `protocol ${protocol}, not 3`);
  if (!isOption(option))
    throw refused('scp03.malformed', { step: STEP, input, offset: 12, option }, 'no option of SCP03');
  const half = macBytesOfOption(option);
  const hasCounter = (option & OPTION.pseudoRandom) !== 0;
  const length = 13 + 2 * half + (hasCounter ? 3 : 0);
  if (data.length !== length)
    throw refused(
      'scp03.malformed',
      { step: STEP, input, length: data.length },
      `not ${length} bytes, as the option has it`,
    );
  const end = 13 + 2 * half;
  return {
    diversification: data.subarray(0, DIVERSIFICATION),
    keyVersion,
    option,
    cardChallenge: data.subarray(13, 13 + half),
    cardCryptogram: data.subarray(13 + half, end),
    ...(hasCounter ? { sequenceCounter: toUint(data.subarray(end)) } : {}),
  };
}

export interface HostOpening {
  keyset: Pick<Keyset, 'enc' | 'mac'>;
  /** As it was asked for; 0 takes what the card chose. */
  keyVersion: number;
  hostChallenge: Uint8Array;
  level: number;
  /** Of what is selected. Given, a pseudo-random challenge must be the one that it leads to. */
  aid?: Uint8Array;
}

/**
 * The host's side: believes the card, or not, and makes the EXTERNAL AUTHENTICATE.
 * @returns the channel as it is once the card has accepted
 * @throws GlobalPlatformError `scp03.malformed`, `scp03.level`, `scp03.challenge`, `scp03.card-cryptogram`
 */
export function openChannel(opening: HostOpening, answerData: Uint8Array): { channel: Channel; command: CommandApdu } {
  const { keyset, hostChallenge, keyVersion, aid } = opening;
  const answer = decodeInitializeUpdateAnswer(answerData);
  const level = checkLevel(opening.level, answer.option);
  if (keyVersion !== 0 && keyVersion !== answer.keyVersion)
    throw refused('scp03.malformed', { step: STEP, input: 'answer', offset: 10 }, 'another key version than asked for');
  const context = contextOf(hostChallenge, answer.cardChallenge);
  const keys = deriveSessionKeys(keyset, hostChallenge, answer.cardChallenge);
  if (!isSame(cardCryptogram(keys.mac, context), answer.cardCryptogram))
    throw refused(
      'scp03.card-cryptogram',
      { step: STEP, input: 'card cryptogram', keyVersion: answer.keyVersion },
      'the card has another Key-MAC, or answers to another host challenge',
    );
  if (aid !== undefined && answer.sequenceCounter !== undefined) checkChallenge(keyset, answer, aid);
  return authenticate({ keys, level, macBytes: macBytesOf(hostChallenge, 'host challenge') }, context);
}

function checkChallenge(keyset: Pick<Keyset, 'enc'>, answer: InitializeUpdateAnswer, aid: Uint8Array): void {
  const { cardChallenge, sequenceCounter = 0 } = answer;
  const expected = pseudoRandomChallenge(keyset.enc, sequenceCounter, aid, macBytesOf(cardChallenge, 'card challenge'));
  if (!isSame(expected, cardChallenge))
    throw refused(
      'scp03.challenge',
      { step: STEP, input: 'card challenge', sequenceCounter },
      'another Key-ENC or another AID than the selected one',
    );
}

/** EXTERNAL AUTHENTICATE and the channel after it: its C-MAC is the first of the chain, its data is never encrypted. */
export function authenticate(
  session: Pick<Channel, 'keys' | 'level' | 'macBytes'>,
  context: Uint8Array,
): { channel: Channel; command: CommandApdu } {
  const cryptogram = hostCryptogram(session.keys.mac, context);
  const start = { ...session, chain: new Uint8Array(BLOCK), counter: 0 };
  const command = { cla: 0x84, ins: EXTERNAL_AUTHENTICATE, p1: session.level, p2: 0 };
  const chain = commandMac(start, command, cryptogram);
  return {
    channel: { ...start, chain },
    command: { ...command, data: concat(cryptogram, chain.subarray(0, session.macBytes)) },
  };
}

/** What a card has to open a channel with. */
export interface CardOpening {
  keyset: Pick<Keyset, 'enc' | 'mac'>;
  keyVersion: number;
  option: number;
  /** Of what is selected. */
  aid: Uint8Array;
  /** Of this session already; a card counts before it uses it. Pseudo-random options only. */
  sequenceCounter?: number;
  /** Of 8 or 16 bytes from a generator; for options without pseudo-random challenge. */
  randomChallenge?: Uint8Array;
  diversification?: Uint8Array;
}

/** A card that has answered INITIALIZE UPDATE and waits for the host's proof. */
export interface HalfOpen {
  readonly keys: Channel['keys'];
  readonly context: Uint8Array;
  readonly option: number;
}

/** The card's side. @throws GlobalPlatformError `scp03.malformed`, `aes.key-length` */
export function answerInitializeUpdate(
  card: CardOpening,
  command: CommandApdu,
): { answer: InitializeUpdateAnswer; halfOpen: HalfOpen } {
  const { keyset, keyVersion, option, diversification = new Uint8Array(DIVERSIFICATION) } = card;
  const hostChallenge = command.data ?? NOTHING;
  if (hostChallenge.length !== macBytesOfOption(option))
    throw refused(
      'scp03.malformed',
      { step: STEP, input: 'host challenge', length: hostChallenge.length },
      'not as the option has it',
    );
  const { cardChallenge, ...counted } = challengeOf(card);
  const keys = deriveSessionKeys(keyset, hostChallenge, cardChallenge);
  const context = contextOf(hostChallenge, cardChallenge);
  const cryptogram = cardCryptogram(keys.mac, context);
  return {
    answer: { diversification, keyVersion, option, cardChallenge, cardCryptogram: cryptogram, ...counted },
    halfOpen: { keys, context, option },
  };
}

function challengeOf({ keyset, option, aid, sequenceCounter, randomChallenge }: CardOpening) {
  const bytes = macBytesOfOption(option);
  if ((option & OPTION.pseudoRandom) !== 0) {
    if (sequenceCounter === undefined || sequenceCounter < 1 || sequenceCounter > 0xffffff)
      throw refused('scp03.malformed', { step: STEP, input: 'sequence counter' }, 'not 1 to 16,777,215');
    return { cardChallenge: pseudoRandomChallenge(keyset.enc, sequenceCounter, aid, bytes), sequenceCounter };
  }
  if (randomChallenge?.length !== bytes)
    throw refused('scp03.malformed', { step: STEP, input: 'random challenge' }, `not ${bytes} bytes`);
  return { cardChallenge: randomChallenge };
}

/**
 * The card's side: believes the host, or not.
 * @throws GlobalPlatformError `scp03.host-cryptogram` (6300), `scp03.command-mac` (6982), `scp03.level`, `scp03.malformed`: the card
 *   forgets what was half open
 */
export function acceptHost({ keys, context, option }: HalfOpen, command: CommandApdu): Channel {
  const step = 'EXTERNAL AUTHENTICATE';
  const macBytes = macBytesOfOption(option);
  const { data = NOTHING } = command;
  if ((command.cla & 0x04) === 0 || command.ins !== EXTERNAL_AUTHENTICATE || data.length !== 2 * macBytes)
    throw refused(
      'scp03.malformed',
      { step, input: 'command', length: data.length },
      `not a protected command with ${2 * macBytes} bytes of data`,
    );
  const level = checkLevel(command.p1, option);
  const start = { keys, level, macBytes, chain: new Uint8Array(BLOCK), counter: 0 };
  const cryptogram = data.subarray(0, macBytes);
  if (!isSame(cryptogram, hostCryptogram(keys.mac, context)))
    throw refused(
      'scp03.host-cryptogram',
      { step, input: 'host cryptogram', offset: 0 },
      'the host has other keys or challenges',
    );
  const chain = commandMac(start, command, cryptogram);
  if (!isSame(chain.subarray(0, macBytes), data.subarray(macBytes)))
    throw refused('scp03.command-mac', { step, input: 'C-MAC', offset: macBytes }, 'not the expected one');
  return { ...start, chain };
}
