import { BLOCK } from './aes.js';
import { subkeysOf } from './aes-cmac.js';
import { type CommandApdu, encodeApdu } from './apdu.js';
import { concat, NOTHING } from './bytes.js';
import { refused } from './errors.js';
import { LiveCbc, LiveEcb } from './live-cipher.js';
import { counterBlock, maxPlainBytes } from './scp03-channel.js';
import { derivationBlock, macBytesOf, PURPOSE, type SessionKeys } from './scp03-keys.js';
import { checkLevel, LEVEL, macBytesOfOption, OPTION, type SecurityLevel } from './scp03-level.js';
import { encodeInitializeUpdateAnswer, EXTERNAL_AUTHENTICATE, initializeUpdate } from './scp03-open.js';
import { deriveAhead, LiveMac, sealLast, type SessionOrder } from './script-session.js';

/** What a script is prepared of. Nothing of it comes from the card: keys, AID and counter are known before. */
export interface ScriptOrder extends Omit<SessionOrder, 'macBytes'> {
  keyVersion: number;
  /** The card's option `i`; its challenge must be pseudo-random. */
  option: number;
  level: number;
  /** In clear, in the order in which they are sent. */
  commands: readonly CommandApdu[];
}

/** Every byte of a session, prepared before the card is there. */
export interface Script {
  readonly initializeUpdate: Uint8Array;
  /** Data that the card answers it with, after 10 bytes of its own (here zeros): a card that answers otherwise is another. */
  readonly initializeUpdateAnswer: Uint8Array;
  readonly externalAuthenticate: Uint8Array;
  readonly commands: readonly Uint8Array[];
  /** R-MACs of the answers 9000 without data; none if the level has no R-MAC. */
  readonly emptyAnswerMacs: readonly Uint8Array[];
}

const STEP = 'prepare script';
const SECURE = 0x04;

/**
 * Prepares a script with as few cipher objects as there are keys: the same bytes as openChannel and wrapCommand make, many times
 * as fast.
 * @throws GlobalPlatformError `script.malformed`, `script.data-too-long`, `scp03.level`, `scp03.malformed`, `aes.key-length`
 */
export function prepareScript(order: ScriptOrder): Script {
  const { keyVersion, option, hostChallenge, sequenceCounter } = order;
  const level = checkLevel(order.level, option);
  const macBytes = macBytesOf(hostChallenge, 'host challenge');
  if ((option & OPTION.pseudoRandom) === 0 || macBytesOfOption(option) !== macBytes)
    throw refused(
      'script.malformed',
      { step: STEP, input: 'option', option },
      'a challenge that nobody can know before',
    );
  if (!(sequenceCounter >= 1 && sequenceCounter <= 0xffffff))
    throw refused('script.malformed', { step: STEP, input: 'sequence counter' }, 'not 1 to 16,777,215');
  const { keys, cardChallenge, context } = deriveAhead({ ...order, macBytes });
  const mac = new LiveMac(keys.mac);
  const cryptogram = (purpose: number): Uint8Array =>
    mac.of(concat(derivationBlock(purpose, macBytes * 8), context)).slice(0, macBytes);
  const answer = { diversification: new Uint8Array(10), keyVersion, option, cardChallenge, sequenceCounter };
  const cardCryptogram = cryptogram(PURPOSE.cardCryptogram);
  const first: CommandApdu = {
    cla: 0x84,
    ins: EXTERNAL_AUTHENTICATE,
    p1: level,
    p2: 0,
    data: cryptogram(PURPOSE.hostCryptogram),
  };
  const isProtected = (level & LEVEL.commandMac) !== 0;
  const plan = new Plan(first, isProtected ? order.commands : [], { level, macBytes });
  plan.encrypt(keys.enc);
  const { apdus, chains } = plan.authenticate(mac);
  return {
    initializeUpdate: encodeApdu(initializeUpdate(keyVersion, hostChallenge)),
    initializeUpdateAnswer: encodeInitializeUpdateAnswer({ ...answer, cardCryptogram }),
    externalAuthenticate: apdus[0]!,
    commands: isProtected ? apdus.slice(1) : order.commands.map(encodeApdu),
    emptyAnswerMacs: (level & LEVEL.responseMac) === 0 ? [] : emptyAnswers(keys.rmac, chains.slice(1), macBytes),
  };
}

interface Protection {
  level: SecurityLevel;
  macBytes: number;
}

/** Where one command stands in the two slabs. */
interface Place {
  command: CommandApdu;
  data: Uint8Array;
  isEncrypted: boolean;
  /** Class to Lc: 5 bytes, or 7 extended. */
  headBytes: number;
  bodyBytes: number;
  /** Of the command as it travels, and of what its C-MAC is taken of. */
  apduAt: number;
  macAt: number;
  macBlocks: number;
}

/**
 * All commands of a script in one slab as they travel, and in another as the C-MAC sees them: chaining value, header, body, pad.
 * The chaining value is what CBC XORs with next anyway, so a block of zeros stands for it, and one call makes every C-MAC.
 */
class Plan {
  private readonly places: Place[] = [];
  private readonly apdus: Uint8Array;
  private readonly macInput: Uint8Array;

  constructor(
    first: CommandApdu,
    commands: readonly CommandApdu[],
    private readonly protection: Protection,
  ) {
    let [apduAt, macAt] = [0, 0];
    for (const command of [first, ...commands]) {
      const place = this.place(command, apduAt, macAt);
      this.places.push(place);
      apduAt += place.headBytes + place.bodyBytes + protection.macBytes + leBytes(command);
      macAt += place.macBlocks * BLOCK;
    }
    this.apdus = new Uint8Array(apduAt);
    this.macInput = new Uint8Array(macAt);
  }

  private place(command: CommandApdu, apduAt: number, macAt: number): Place {
    const { data = NOTHING, isExtended = false } = command;
    const index = this.places.length;
    const { level, macBytes } = this.protection;
    if (index > 0)
      checkCommand(command, index, maxPlainBytes({ level, macBytes: macBytes === 8 ? 8 : 16 }, isExtended));
    const isEncrypted = index > 0 && (level & LEVEL.commandEnc) !== 0 && data.length > 0;
    const bodyBytes = isEncrypted ? (Math.floor(data.length / BLOCK) + 1) * BLOCK : data.length;
    const headBytes = isExtended ? 7 : 5;
    const macBlocks = 1 + Math.ceil((headBytes + bodyBytes) / BLOCK);
    return { command, data, isEncrypted, headBytes, bodyBytes, apduAt, macAt, macBlocks };
  }

  /** Bodies into their places, encrypted where they are; EXTERNAL AUTHENTICATE, the first, never is, and doesn't count. */
  encrypt(enc: SessionKeys['enc']): void {
    const ivs = this.places.some(({ isEncrypted }) => isEncrypted) ? initialValues(enc, this.places.length) : NOTHING;
    let cbc: LiveCbc | undefined;
    for (const [counter, place] of this.places.entries()) {
      const { data, bodyBytes, apduAt, headBytes } = place;
      if (!place.isEncrypted) {
        this.apdus.set(data, apduAt + headBytes);
        continue;
      }
      const padded = new Uint8Array(bodyBytes);
      padded.set(data);
      padded[data.length] = 0x80;
      cbc ??= new LiveCbc(enc);
      this.apdus.set(cbc.restart(padded, ivs.subarray((counter - 1) * BLOCK, counter * BLOCK)), apduAt + headBytes);
    }
  }

  authenticate(mac: LiveMac): { apdus: Uint8Array[]; chains: Uint8Array[] } {
    for (const place of this.places) this.prepareMac(place, mac);
    const macs = mac.run(this.macInput);
    const chains = this.places.map(({ macAt, macBlocks }) => {
      const end = macAt + macBlocks * BLOCK;
      return macs.subarray(end - BLOCK, end);
    });
    return { apdus: this.places.map((place, i) => this.finish(place, chains[i]!)), chains };
  }

  /** Header into its place, with the class as the C-MAC covers it, and then the message into the other slab. */
  private prepareMac({ command, headBytes, bodyBytes, apduAt, macAt, macBlocks }: Place, mac: LiveMac): void {
    const { apdus, macInput } = this;
    const lc = bodyBytes + this.protection.macBytes;
    apdus[apduAt] = (command.cla & 0xf0) | SECURE;
    apdus[apduAt + 1] = command.ins;
    apdus[apduAt + 2] = command.p1;
    apdus[apduAt + 3] = command.p2;
    if (headBytes === 7) apdus[apduAt + 5] = lc >> 8;
    apdus[apduAt + headBytes - 1] = lc;
    const message = headBytes + bodyBytes;
    macInput.set(apdus.subarray(apduAt, apduAt + message), macAt + BLOCK);
    sealLast(macInput.subarray(macAt + BLOCK, macAt + macBlocks * BLOCK), message, mac);
  }

  /** Class as it travels, C-MAC and Le. */
  private finish({ command, headBytes, bodyBytes, apduAt }: Place, chain: Uint8Array): Uint8Array {
    const { apdus } = this;
    const macAt = apduAt + headBytes + bodyBytes;
    const end = macAt + this.protection.macBytes;
    apdus[apduAt] = command.cla | SECURE;
    apdus.set(chain.subarray(0, this.protection.macBytes), macAt);
    const bytes = leBytes(command);
    if (bytes > 0) apdus[end + bytes - 1] = command.le!;
    if (bytes === 2) apdus[end] = command.le! >> 8;
    return apdus.subarray(apduAt, end + bytes);
  }
}

const leBytes = ({ le, isExtended = false }: CommandApdu): number => (le === undefined ? 0 : isExtended ? 2 : 1);

function checkCommand(
  { cla, ins, p1, p2, le, data = NOTHING, isExtended }: CommandApdu,
  index: number,
  limit: number,
): void {
  const place = { step: STEP, input: `command ${index}` };
  if (data.length > limit)
    throw refused('script.data-too-long', { ...place, length: data.length, limit }, `over ${limit} bytes of data`);
  const isHeader = ((cla | ins | p1 | p2) & ~0xff) === 0 && (cla & 0x40) === 0;
  const maxLe = isExtended === true ? 65_536 : 256;
  if (!isHeader || (le !== undefined && !(le >= 1 && le <= maxLe)))
    throw refused('script.malformed', place, 'not a command of a logical channel up to 3');
}

/** Of commands 1 to `count - 1`, in one call. */
function initialValues(enc: SessionKeys['enc'], count: number): Uint8Array {
  const counters = new Uint8Array((count - 1) * BLOCK);
  for (let counter = 1; counter < count; counter += 1) counters.set(counterBlock(counter), (counter - 1) * BLOCK);
  return new LiveEcb(enc).encrypt(counters);
}

const DONE = Uint8Array.of(0x90, 0x00);

/** R-MACs over chaining value and 9000, all first blocks in one call and then all second ones. */
function emptyAnswers(rmac: SessionKeys['rmac'], chains: readonly Uint8Array[], macBytes: number): Uint8Array[] {
  const ecb = new LiveEcb(rmac);
  const firsts = ecb.encrypt(concat(new Uint8Array(BLOCK), ...chains));
  const { k2 } = subkeysOf(firsts.subarray(0, BLOCK));
  const tail = new Uint8Array(BLOCK);
  tail.set(DONE);
  sealLast(tail, DONE.length, { subkey: () => k2 });
  const seconds = new Uint8Array(firsts.subarray(BLOCK));
  for (let i = 0; i < seconds.length; i += 1) seconds[i]! ^= tail[i % BLOCK]!;
  const macs = new Uint8Array(ecb.encrypt(seconds));
  return chains.map((_, i) => macs.subarray(i * BLOCK, i * BLOCK + macBytes));
}
