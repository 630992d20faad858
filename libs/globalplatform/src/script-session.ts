import { createSecretKey } from 'node:crypto';
import { BLOCK, keyBytesOf } from './aes.js';
import { subkeysOf } from './aes-cmac.js';
import { concat, uint } from './bytes.js';
import { LiveCbc, LiveEcb } from './live-cipher.js';
import { derivationBlock, type Keyset, type MacBytes, PURPOSE, type SessionKeys } from './scp03-keys.js';

/*
 * A session derived ahead, with two cipher objects for the static keys. The same results as scp03-keys.ts, message for message:
 * all first blocks of one key go through AES in one call, then all second blocks.
 */

export interface SessionOrder {
  keyset: Pick<Keyset, 'enc' | 'mac'>;
  aid: Uint8Array;
  sequenceCounter: number;
  hostChallenge: Uint8Array;
  macBytes: MacBytes;
}

export interface DerivedSession {
  /** As KeyObjects, which every line of Node takes fast. */
  keys: SessionKeys;
  cardChallenge: Uint8Array;
  context: Uint8Array;
}

/** First `bytes` of the key derived for a purpose: CMAC rounds of one block before a context that is the same for all. */
interface Derivation {
  purpose: number;
  bytes: number;
}

export function deriveAhead({ keyset, aid, sequenceCounter, hostChallenge, macBytes }: SessionOrder): DerivedSession {
  const [encBytes, macKeyBytes] = [keyBytesOf(keyset.enc, 'Key-ENC'), keyBytesOf(keyset.mac, 'Key-MAC')];
  const enc = new StaticKey(new LiveEcb(keyset.enc), [
    { purpose: PURPOSE.cardChallenge, bytes: macBytes },
    { purpose: PURPOSE.enc, bytes: encBytes },
  ]);
  const mac = new StaticKey(new LiveEcb(keyset.mac), [
    { purpose: PURPOSE.mac, bytes: macKeyBytes },
    { purpose: PURPOSE.rmac, bytes: macKeyBytes },
  ]);
  const [challenge] = enc.finish([0], concat(uint(sequenceCounter, 3), aid));
  const cardChallenge = challenge!.slice(0, macBytes);
  const context = concat(hostChallenge, cardChallenge);
  const [sEnc] = enc.finish([1], context);
  const [sMac, sRmac] = mac.finish([0, 1], context);
  const keys = { enc: createSecretKey(sEnc!), mac: createSecretKey(sMac!), rmac: createSecretKey(sRmac!) };
  return { keys, cardChallenge, context };
}

class StaticKey {
  private readonly k1: Uint8Array;
  private readonly k2: Uint8Array;
  /** The encrypted first block of each round, derivation after derivation. */
  private readonly firsts: Uint8Array;
  private readonly roundAt: readonly number[];

  constructor(
    private readonly ecb: LiveEcb,
    private readonly derivations: readonly Derivation[],
  ) {
    const blocks: Uint8Array[] = [new Uint8Array(BLOCK)];
    this.roundAt = derivations.map(({ purpose, bytes }) => {
      const at = blocks.length;
      for (let round = 1; round <= roundsOf(bytes); round += 1) blocks.push(derivationBlock(purpose, bytes * 8, round));
      return at;
    });
    this.firsts = new Uint8Array(ecb.encrypt(concat(...blocks)));
    ({ k1: this.k1, k2: this.k2 } = subkeysOf(this.firsts.subarray(0, BLOCK)));
  }

  /** The derivations of these numbers, with one context. */
  finish(numbers: readonly number[], context: Uint8Array): Uint8Array<ArrayBuffer>[] {
    const spans = numbers.map((number) => ({
      at: this.roundAt[number]!,
      rounds: roundsOf(this.derivations[number]!.bytes),
    }));
    const rounds = spans.map(({ at, rounds: count }) => this.firsts.subarray(at * BLOCK, (at + count) * BLOCK));
    let state = new Uint8Array(concat(...rounds));
    const blocks = this.contextBlocks(context);
    for (let at = 0; at < blocks.length; at += BLOCK) {
      for (let i = 0; i < state.length; i += 1) state[i]! ^= blocks[at + (i % BLOCK)]!;
      state = new Uint8Array(this.ecb.encrypt(state));
    }
    let from = 0;
    return numbers.map((number, i) => {
      const start = from;
      from += spans[i]!.rounds * BLOCK;
      return new Uint8Array(state.subarray(start, start + this.derivations[number]!.bytes));
    });
  }

  private contextBlocks(context: Uint8Array): Uint8Array {
    const blocks = new Uint8Array(Math.ceil(context.length / BLOCK) * BLOCK);
    blocks.set(context);
    return sealLast(blocks, context.length, this);
  }

  subkey(isWhole: boolean): Uint8Array {
    return isWhole ? this.k1 : this.k2;
  }
}

const roundsOf = (bytes: number): number => Math.ceil(bytes / BLOCK);

/** Pads a message of CMAC that is in `blocks` and XORs the subkey into its last block. Changes and answers `blocks`. */
export function sealLast(
  blocks: Uint8Array,
  length: number,
  subkeys: { subkey(isWhole: boolean): Uint8Array },
): Uint8Array {
  const isWhole = length === blocks.length;
  if (!isWhole) blocks[length] = 0x80;
  const [subkey, at] = [subkeys.subkey(isWhole), blocks.length - BLOCK];
  for (let i = 0; i < BLOCK; i += 1) blocks[at + i]! ^= subkey[i]!;
  return blocks;
}

/** CMAC under one session key with one cipher object, message after message. */
export class LiveMac {
  private readonly cbc: LiveCbc;
  private readonly k1: Uint8Array;
  private readonly k2: Uint8Array;

  constructor(key: SessionKeys['mac']) {
    this.cbc = new LiveCbc(key);
    ({ k1: this.k1, k2: this.k2 } = subkeysOf(this.cbc.next(new Uint8Array(BLOCK))));
  }

  subkey(isWhole: boolean): Uint8Array {
    return isWhole ? this.k1 : this.k2;
  }

  /** Of whole blocks with the subkey in the last already, from an empty state. */
  run(blocks: Uint8Array): Uint8Array {
    return this.cbc.restart(blocks);
  }

  /** One message; 16 bytes. */
  of(message: Uint8Array): Uint8Array {
    const blocks = new Uint8Array(Math.max(1, Math.ceil(message.length / BLOCK)) * BLOCK);
    blocks.set(message);
    return this.run(sealLast(blocks, message.length, this)).subarray(-BLOCK);
  }
}
