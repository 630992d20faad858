import {
  AIDS,
  type AesKey,
  type CommandApdu,
  decodeApdu,
  encodeResponse,
  joinChain,
  keyCheckValue,
  LEVEL,
  type OpenChain,
  type ResponseApdu,
  splitResponse,
  toHex,
  unwrapCommand,
  wrapResponse,
} from '#globalplatform/index.js';
import { type Outcome, perform, type Session } from './domain-commands.js';
import { KeyStore } from './key-store.js';
import { ElementMemory, type Storage } from './memory.js';
import { type CapabilityProfile, PROFILES } from './profile.js';
import { Refusal, statusOf, SW } from './status-of-refusal.js';

/** The keyset that an element is made with. */
export interface FirstKeyset {
  version: number;
  enc: AesKey;
  mac: AesKey;
  dek: AesKey;
}

const [SELECT, INITIALIZE_UPDATE, EXTERNAL_AUTHENTICATE, GET_RESPONSE] = [0xa4, 0x50, 0x82, 0xc0];
/** Bit 3 of the class. */
const SECURE = 0x04;
const SHORT_ANSWER = 256;

const freshSession = (): Session => ({ selected: AIDS.issuerSecurityDomain });

/**
 * A secure element that speaks APDUs. What it has answered it remembers, whatever becomes of its power; what it has not answered has
 * happened as a whole or not at all.
 */
export class VirtualElement {
  private session = freshSession();
  private chain: OpenChain | undefined;
  private rest: ResponseApdu | undefined;
  private last: Promise<unknown> = Promise.resolve();
  private readonly keys: KeyStore;

  private constructor(
    private readonly memory: ElementMemory,
    readonly profile: CapabilityProfile,
  ) {
    this.keys = new KeyStore(memory, toHex(AIDS.issuerSecurityDomain));
  }

  /** A new one in an empty memory; one that is there already stays as it is. */
  static async create(
    storage: Storage,
    { version, enc, mac, dek }: FirstKeyset,
    profile: CapabilityProfile = PROFILES.standard,
  ): Promise<VirtualElement> {
    const element = await VirtualElement.powerOn(storage, profile);
    const keys = [enc, mac, dek].map((key, i) => ({ keyId: i + 1, key, checkValue: keyCheckValue(key) }));
    if (element.keys.defaultVersion === undefined)
      await element.memory.commit(element.keys.put({ replaces: 0, keyVersion: version, keys }));
    return element;
  }

  /** @throws ElementError `memory.corrupt` */
  static async powerOn(storage: Storage, profile: CapabilityProfile = PROFILES.standard): Promise<VirtualElement> {
    return new VirtualElement(await ElementMemory.open(storage), profile);
  }

  get atr(): Uint8Array {
    return this.profile.atr;
  }

  /** Sessions end, behind whatever was sent before; what is kept stays. */
  reset(): Promise<void> {
    return this.next(() => {
      this.session = freshSession();
      this.chain = undefined;
      this.rest = undefined;
    });
  }

  /** One command after the other. Refusals are answers; rejects when the memory does, and then nothing was answered. */
  transmit(bytes: Uint8Array): Promise<Uint8Array> {
    return this.next(() => this.answer(bytes));
  }

  private next<T>(work: () => T | Promise<T>): Promise<T> {
    const next = this.last.then(work);
    this.last = next.catch(() => undefined); // whoever asked hears of it
    return next;
  }

  private async answer(bytes: Uint8Array): Promise<Uint8Array> {
    let command: CommandApdu;
    try {
      command = decodeApdu(bytes);
      if (command.isExtended === true && !this.profile.isExtended) throw new Refusal(SW.wrongLength);
    } catch (error) {
      return encodeResponse({ data: NOTHING, sw: statusOf(error) });
    }
    const whole = await this.answerCommand(command);
    const { now, rest } = splitResponse(whole, this.mostOf(command));
    this.rest = rest;
    return encodeResponse(now);
  }

  /** A case 1 or 3 command asks for nothing; what there is all the same goes with it, as with T=1. */
  private mostOf({ le, isExtended = false }: CommandApdu): number {
    return le ?? (isExtended ? 65_536 : SHORT_ANSWER);
  }

  private async answerCommand(part: CommandApdu): Promise<ResponseApdu> {
    try {
      checkClass(part);
      if (part.ins === GET_RESPONSE) return this.more();
      const { open, command } = joinChain(this.chain, part);
      this.chain = open;
      return command === undefined ? { data: NOTHING, sw: SW.done } : await this.run(command);
    } catch (error) {
      this.chain = undefined;
      const sw = statusOf(error);
      if (sw === SW.unknown) throw error;
      return { data: NOTHING, sw };
    }
  }

  private more(): ResponseApdu {
    const { rest } = this;
    if (rest === undefined) throw new Refusal(SW.conditions);
    return rest;
  }

  private async run(received: CommandApdu): Promise<ResponseApdu> {
    const command = this.received(received);
    const { channel } = this.session; // as the command has left it: the answer goes by it
    const { data = NOTHING, session = this.session, changes } = this.outcome(command);
    if (changes !== undefined) await this.memory.commit(changes);
    this.session = session;
    const response = { data, sw: SW.done };
    const isOpening = [SELECT, INITIALIZE_UPDATE, EXTERNAL_AUTHENTICATE].includes(command.ins);
    return channel === undefined || isOpening ? response : wrapResponse(channel, response);
  }

  private outcome(command: CommandApdu): Outcome {
    const { session, keys, profile } = this;
    try {
      return perform(command, { session, keys, profile });
    } catch (error) {
      if (command.ins === EXTERNAL_AUTHENTICATE) this.session = { selected: session.selected };
      throw error;
    }
  }

  /** Without its protection. A wrong MAC ends the channel, and so does a new selection or session. */
  private received(command: CommandApdu): CommandApdu {
    const { session } = this;
    const { selected, channel } = session;
    if (command.ins === EXTERNAL_AUTHENTICATE) return command;
    if (command.ins === SELECT || command.ins === INITIALIZE_UPDATE) {
      this.session = { selected };
      return command;
    }
    if (channel === undefined) {
      if ((command.cla & SECURE) !== 0) throw new Refusal(SW.conditions);
      return command;
    }
    if ((channel.level & LEVEL.commandMac) === 0) return command;
    try {
      const unwrapped = unwrapCommand(channel, command);
      this.session = { ...session, channel: unwrapped.channel };
      return unwrapped.command;
    } catch (error) {
      this.session = { selected };
      throw error;
    }
  }
}

const NOTHING = new Uint8Array();

/** Of ISO and of GlobalPlatform, on the basic channel. */
function checkClass({ cla }: CommandApdu): void {
  if ((cla & 0x60) !== 0) throw new Refusal(SW.cla);
  if ((cla & 0x03) !== 0) throw new Refusal(SW.noChannels);
  if ((cla & 0x08) !== 0) throw new Refusal(SW.cla);
}
