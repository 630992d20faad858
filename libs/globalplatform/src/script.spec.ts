import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { publishedVectors } from '../../../test/support/vectors.js';
import { type CommandApdu, decodeApdu, encodeApdu, encodeResponse } from './apdu.js';
import { concat, fromHex, toHex } from './bytes.js';
import type { GlobalPlatformErrorCode } from './errors.js';
import { acceptHost, answerInitializeUpdate, encodeInitializeUpdateAnswer, openChannel } from './scp03-open.js';
import { SECURITY_LEVELS } from './scp03-level.js';
import { unwrapCommand, wrapCommand, wrapResponse } from './scp03-channel.js';
import { prepareScript, type ScriptOrder } from './script.js';
import { codeOf } from './testing.js';

const AID = fromHex('a0000005591010ffffffff890000f100');
const ORDER: ScriptOrder = {
  keyset: { enc: new Uint8Array(16).fill(0xc0), mac: new Uint8Array(16).fill(0xd0) },
  aid: AID,
  sequenceCounter: 1,
  hostChallenge: fromHex('0102030405060708'),
  keyVersion: 0x30,
  option: 0x70,
  level: 0x33,
  commands: [{ cla: 0x80, ins: 0xe2, p1: 0x88, p2: 0, data: fromHex('0102'), le: 256 }],
};

const keyOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const command: fc.Arbitrary<CommandApdu> = fc.record(
  {
    cla: fc.constantFrom(0x00, 0x80, 0x83),
    ins: fc.nat({ max: 255 }),
    p1: fc.nat({ max: 255 }),
    p2: fc.nat({ max: 255 }),
    data: fc.uint8Array({ minLength: 1, maxLength: 223 }),
    le: fc.integer({ min: 1, max: 256 }),
    isExtended: fc.constant(true),
  },
  { requiredKeys: ['cla', 'ins', 'p1', 'p2'] },
);

const order = fc
  .tuple(fc.constantFrom(16, 24, 32), fc.constantFrom<8 | 16>(8, 16), fc.constantFrom(...SECURITY_LEVELS))
  .chain(([keyBytes, macBytes, level]) =>
    fc.record({
      keyset: fc.record({ enc: keyOf(keyBytes), mac: keyOf(keyBytes) }),
      aid: fc.uint8Array({ minLength: 5, maxLength: 16 }),
      sequenceCounter: fc.integer({ min: 1, max: 0xffffff }),
      hostChallenge: keyOf(macBytes),
      keyVersion: fc.constant(0x30),
      option: fc.constant(macBytes === 8 ? 0x70 : 0x71),
      level: fc.constant(level),
      commands: fc.array(command, { maxLength: 6 }),
    }),
  );

describe('a script prepared before the card is there', () => {
  it('has the bytes of a session that host and card would have had, whatever it is made of', () => {
    fc.assert(
      fc.property(order, (wanted) => {
        const script = prepareScript(wanted);
        const { answer, halfOpen } = answerInitializeUpdate(wanted, decodeApdu(script.initializeUpdate));
        expect(script.initializeUpdateAnswer).toEqual(encodeInitializeUpdateAnswer(answer));
        const host = openChannel(wanted, script.initializeUpdateAnswer);
        expect(script.externalAuthenticate).toEqual(encodeApdu(host.command));
        let card = acceptHost(halfOpen, decodeApdu(script.externalAuthenticate));
        let { channel } = host;
        wanted.commands.forEach((plain, i) => {
          const wrapped = wrapCommand(channel, plain);
          expect(script.commands[i]).toEqual(encodeApdu(wrapped.command));
          ({ channel } = wrapped);
          card = unwrapCommand(card, wrapped.command).channel;
          const mac = script.emptyAnswerMacs[i] ?? new Uint8Array(0);
          expect(wrapResponse(card, { data: new Uint8Array(0), sw: 0x9000 }).data).toEqual(mac);
        });
        expect(script.commands).toHaveLength(wanted.commands.length);
      }),
      { numRuns: 200 },
    );
  });

  it('is the same each time, and leaves what it was made of as it was', () => {
    const copy = structuredClone(ORDER);
    expect(prepareScript(ORDER)).toEqual(prepareScript(ORDER));
    expect(ORDER).toEqual(copy);
  });

  it.each<[string, Partial<ScriptOrder>, GlobalPlatformErrorCode]>([
    ['a random challenge', { option: 0x60 }, 'script.malformed'],
    ['challenges of two lengths', { option: 0x71 }, 'script.malformed'],
    ['a counter of 0', { sequenceCounter: 0 }, 'script.malformed'],
    ['a level that is none', { level: 0x31 }, 'scp03.level'],
    ['a key of 15 bytes', { keyset: { enc: new Uint8Array(15), mac: new Uint8Array(16) } }, 'aes.key-length'],
    [
      'more data than fits',
      { commands: [{ cla: 0x80, ins: 1, p1: 0, p2: 0, data: new Uint8Array(240) }] },
      'script.data-too-long',
    ],
    ['a channel above 3', { commands: [{ cla: 0xc0, ins: 1, p1: 0, p2: 0 }] }, 'script.malformed'],
    ['a byte that is none', { commands: [{ cla: 0x80, ins: 0x100, p1: 0, p2: 0 }] }, 'script.malformed'],
    ['an Le that is none', { commands: [{ cla: 0x80, ins: 1, p1: 0, p2: 0, le: 257 }] }, 'script.malformed'],
  ])('is refused with %s', (_, wrong, code) => expect(codeOf(() => prepareScript({ ...ORDER, ...wrong }))).toBe(code));
});

interface Offline {
  firstAid: string;
  secondAid: string;
  keyset: { kEnc: string; kMac: string };
  hostChallenge: string;
  cardChallengeFirstAid: string;
  cardChallengeSecondAid: string;
  initializeUpdate: { command: string; expectedResponse: string };
  externalAuthenticate: string;
  apdus: { plain: string; wrapped: string; expectedResponse: string }[];
}
const offline = publishedVectors<Offline>('offline-script');

describe.skipIf(offline === undefined)('the script of which three programs have the same bytes', () => {
  const orderFor = ({ kEnc, kMac }: Offline['keyset'], aid: string): ScriptOrder => ({
    ...ORDER,
    keyset: { enc: fromHex(kEnc), mac: fromHex(kMac) },
    aid: fromHex(aid),
    hostChallenge: fromHex(offline!.hostChallenge),
    commands: offline!.apdus.map(({ plain }) => decodeApdu(fromHex(plain))),
  });

  it('is ours byte for byte, with what the card is expected to answer', () => {
    const script = prepareScript(orderFor(offline!.keyset, offline!.firstAid));
    expect(toHex(script.initializeUpdate)).toBe(offline!.initializeUpdate.command);
    expect(toHex(encodeResponse({ data: script.initializeUpdateAnswer, sw: 0x9000 }))).toBe(
      offline!.initializeUpdate.expectedResponse,
    );
    expect(toHex(script.externalAuthenticate)).toBe(offline!.externalAuthenticate);
    expect(script.commands.map(toHex)).toEqual(offline!.apdus.map(({ wrapped }) => wrapped));
    expect(script.emptyAnswerMacs.map((mac) => toHex(concat(mac, fromHex('9000'))))).toEqual(
      offline!.apdus.map(({ expectedResponse }) => expectedResponse),
    );
  });

  it('is refused by a card that does not have the first AID yet: the challenge is another', () => {
    const first = prepareScript(orderFor(offline!.keyset, offline!.firstAid));
    const card = { ...orderFor(offline!.keyset, offline!.secondAid), sequenceCounter: 1 };
    const { answer, halfOpen } = answerInitializeUpdate(card, decodeApdu(first.initializeUpdate));
    expect(toHex(answer.cardChallenge)).toBe(offline!.cardChallengeSecondAid);
    expect(toHex(first.initializeUpdateAnswer.subarray(13, 21))).toBe(offline!.cardChallengeFirstAid);
    expect(codeOf(() => acceptHost(halfOpen, decodeApdu(first.externalAuthenticate)))).toBe('scp03.host-cryptogram');
  });
});
