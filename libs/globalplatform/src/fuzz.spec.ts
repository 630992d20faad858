import { describe, expect, it } from 'vitest';
import { type CommandApdu, decodeApdu, decodeResponse, encodeApdu } from './apdu.js';
import { joinChain, type OpenChain } from './apdu-chain.js';
import { decodeTlvs, decodeTlvTree } from './ber-tlv.js';
import { concat, fromHex } from './bytes.js';
import { readDelete, readStoreData } from './commands.js';
import { decodeDgis } from './dgi.js';
import { GlobalPlatformError } from './errors.js';
import { readInstall } from './install.js';
import { readPutKey } from './put-key.js';
import { type Channel, unwrapCommand, unwrapResponse, wrapCommand, wrapResponse } from './scp03-channel.js';
import { acceptHost, decodeInitializeUpdateAnswer } from './scp03-open.js';
import { unwrapSegment, wrapSegment } from './scp03-segment.js';
import { decodeStatusEntries, readGetStatus, readSetStatus } from './status.js';

/*
 * Whatever arrives, nothing is thrown but the room's own refusals, nothing hangs, and memory stays flat. Short here; 30 s a target
 * with MUSTER_TEST_ALL=1; MUSTER_FUZZ_INPUTS=5000000 in `npm run test:long -- fuzz`. A failure prints the seed and the input.
 */

const INPUTS = Number(process.env.MUSTER_FUZZ_INPUTS ?? 0);
const SECONDS = Number(process.env.MUSTER_FUZZ_SECONDS ?? (process.env.MUSTER_TEST_ALL === '1' ? 30 : 1));
const SEED = Number(process.env.MUSTER_FUZZ_SEED ?? Date.now() % 1_000_000);
const MAX_BYTES = 400;
/** Slower than any input of this size has a right to be, on a machine that others load. */
const HANG_MS = 2_000;
const FLAT_BYTES = 64 * 1024 * 1024;

/** Mulberry32: the same inputs for the same seed. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor(((t ^ (t >>> 14)) >>> 0) / (2 ** 32 / below));
  };
}

/** Bytes at which decoders decide. */
const EDGES = [0x00, 0x01, 0x1f, 0x20, 0x3f, 0x6f, 0x7f, 0x80, 0x81, 0x82, 0x83, 0x84, 0x9f, 0xbf, 0xe3, 0xfe, 0xff];

/** Inputs by changing what is good: a few bytes at a time, cut, doubled, or made up altogether. */
function mutate(corpus: readonly Uint8Array[], next: (below: number) => number): Uint8Array {
  const some = corpus[next(corpus.length)]!;
  switch (next(6)) {
    case 0:
      return Uint8Array.from({ length: next(MAX_BYTES) }, () => next(256));
    case 1:
      return Uint8Array.from({ length: next(MAX_BYTES) }, () => EDGES[next(EDGES.length)]!);
    case 2:
      return some.slice(0, next(some.length + 1));
    case 3:
      return concat(some, corpus[next(corpus.length)]!.subarray(next(8))).slice(0, MAX_BYTES);
    default: {
      const changed = Uint8Array.from(some);
      for (let n = 1 + next(4); n > 0 && changed.length > 0; n -= 1)
        changed[next(changed.length)] = next(2) === 0 ? EDGES[next(EDGES.length)]! : next(256);
      return changed;
    }
  }
}

interface Done {
  inputs: number;
  understood: number;
  slowestMs: number;
  grownBytes: number;
}

/** Kept by the collector, whatever it says in between: the least of a few moments. */
function usedBytes(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function fuzz(corpus: readonly Uint8Array[], target: (input: Uint8Array) => void): Done {
  const next = random(SEED);
  const end = performance.now() + SECONDS * 1_000;
  const isOver = (inputs: number) => (INPUTS > 0 ? inputs >= INPUTS : inputs % 256 === 0 && performance.now() > end);
  let [understood, slowestMs, inputs] = [0, 0, 0];
  let [before, least] = [0, Infinity];
  for (; inputs === 0 || !isOver(inputs); inputs += 1) {
    const input = mutate(corpus, next);
    const begun = performance.now();
    try {
      target(input);
      understood += 1;
    } catch (error) {
      if (!(error instanceof GlobalPlatformError))
        throw new Error(`seed ${SEED}, input ${inputs}: ${Buffer.from(input).toString('hex')}`, { cause: error });
    }
    slowestMs = Math.max(slowestMs, performance.now() - begun);
    if (inputs === 20_000) before = usedBytes();
    if (inputs % 10_000 === 0 && inputs > 20_000)
      least = Math.min(least === Infinity ? usedBytes() : least, usedBytes());
  }
  return { inputs, understood, slowestMs, grownBytes: least === Infinity ? 0 : least - before };
}

const KEYS = { enc: new Uint8Array(16).fill(1), mac: new Uint8Array(16).fill(2), rmac: new Uint8Array(16).fill(3) };
const CHANNEL: Channel = { keys: KEYS, level: 0x33, macBytes: 8, chain: new Uint8Array(16), counter: 0 };
const STORE: CommandApdu = { cla: 0x80, ins: 0xe2, p1: 0x90, p2: 0, data: fromHex('bf3e035c015a'), le: 256 };
const WRAPPED = wrapCommand(CHANNEL, STORE);
const ANSWER = wrapResponse(WRAPPED.channel, { data: fromHex('bf3e125a10'), sw: 0x9000 });

/** A host that has the keys, so that what is behind the MAC is reached too. */
function byKeyholder(input: Uint8Array): void {
  const level = (input[0] ?? 0) % 2 === 0 ? 0x01 : 0x33;
  const data = input.slice(1, 1 + 200);
  const { command } = wrapCommand({ ...CHANNEL, level }, { ...STORE, data });
  dispatch(unwrapCommand(CHANNEL, command).command);
}

const DEK = new Uint8Array(16).fill(4);
const READERS = [
  readInstall,
  readDelete,
  readStoreData,
  readGetStatus,
  readSetStatus,
  (command: CommandApdu) => readPutKey(command, DEK),
];
/** Each reader, whatever the instruction is. */
function dispatch(command: CommandApdu): void {
  for (const read of READERS)
    try {
      read(command);
    } catch (error) {
      if (!(error instanceof GlobalPlatformError)) throw error;
    }
}

const TLV = [
  '6f1084080102030405060708a5049f6501ff',
  'e3164f07f00000000000029f70010fc50380c000c402f000',
  '7f218106930401020304',
  'ae8022058000000000220380ca000000',
  '3a01047f210101ff',
  'ff'.repeat(20),
].map((hex) => fromHex(hex));
const APDUS = [
  '00a4040008f00000000000000100',
  '80e6200016000010f0000000000000000000000000000012000000',
  '80e60c001905f00000000105f00000000205f00000000303800000',
  '80d8008146308811103d0fa4b855d2a5aa4954b8b5df582a3a03c35280',
  '80ca006600',
  '80e40000000003 4f01aa0100',
  '90e2000002aabb',
].map((hex) => fromHex(hex));
const SECURED = [
  encodeApdu(WRAPPED.command),
  concat(ANSWER.data, fromHex('9000')),
  wrapSegment(CHANNEL, fromHex('bf2400')).segment,
];

const TARGETS: [name: string, corpus: readonly Uint8Array[], target: (input: Uint8Array) => void][] = [
  [
    'TLV and DGI',
    TLV,
    (input) => {
      const options = { isIndefiniteAllowed: (input[0] ?? 0) % 2 === 0, opaqueTags: [0x22] };
      const each = [() => decodeTlvTree(input, options), () => decodeDgis(input), () => decodeStatusEntries(input)];
      each.forEach((decode) => quietly(decode));
      decodeTlvs(input, options);
    },
  ],
  [
    'APDU',
    APDUS,
    (input) => {
      quietly(() => decodeResponse(input));
      let open: OpenChain | undefined;
      const command = decodeApdu(input);
      for (let i = 0; i < 3; i += 1) ({ open } = joinChain(open, command));
      dispatch(command);
      if (Buffer.compare(encodeApdu(command), input) !== 0) throw new Error('it is written otherwise than it was read');
    },
  ],
  [
    'SCP03 unwrap',
    SECURED,
    (input) => {
      quietly(() => byKeyholder(input));
      quietly(() => decodeInitializeUpdateAnswer(input));
      quietly(() => unwrapSegment(CHANNEL, input));
      quietly(() => unwrapResponse(WRAPPED.channel, decodeResponse(input)));
      const halfOpen = { keys: KEYS, context: new Uint8Array(16), option: 0x70 };
      quietly(() => acceptHost(halfOpen, decodeApdu(input)));
      unwrapCommand(CHANNEL, decodeApdu(input));
    },
  ],
];

/** The refusal of one decoder doesn't keep the next from being tried. */
function quietly(decode: () => unknown): void {
  try {
    decode();
  } catch (error) {
    if (!(error instanceof GlobalPlatformError)) throw error;
  }
}

describe('whatever arrives', () => {
  it.each(TARGETS)(
    '%s is understood or refused, in good time and in the same memory',
    (name, corpus, target) => {
      const { inputs, understood, slowestMs, grownBytes } = fuzz(corpus, target);
      const grown = Math.round(grownBytes / 1024);
      console.log(
        `${name}: seed ${SEED}, ${inputs} inputs, ${understood} understood, ${grown} KiB grown, slowest ${slowestMs.toFixed(1)} ms`,
      );
      expect(understood).toBeGreaterThan(0);
      expect(slowestMs).toBeLessThan(HANG_MS);
      expect(grownBytes).toBeLessThan(FLAT_BYTES);
    },
    INPUTS > 0 ? 3_600_000 : (SECONDS + 60) * 1_000,
  );

  it('and is no refusal of ours is not swallowed', () =>
    expect(() => fuzz(TLV, () => decodeTlvs(undefined as unknown as Uint8Array))).toThrow(/^seed \d+, input 0: /));
});
