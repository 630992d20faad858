import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CommandApdu, ResponseApdu } from './apdu.js';
import { concat, fromHex, toHex } from './bytes.js';
import type { GlobalPlatformErrorCode } from './errors.js';
import {
  type Channel,
  maxPlainBytes,
  unwrapCommand,
  unwrapResponse,
  wrapCommand,
  wrapResponse,
} from './scp03-channel.js';
import {
  type CardOpening,
  answerInitializeUpdate,
  acceptHost,
  encodeInitializeUpdateAnswer,
  initializeUpdate,
  openChannel,
} from './scp03-open.js';
import { SECURITY_LEVELS, type SecurityLevel } from './scp03-level.js';
import { unwrapSegment, wrapSegment } from './scp03-segment.js';
import { codeOf, refusalOf } from './testing.js';

const AID = fromHex('a0000005591010ffffffff8900001200');
const STORE: CommandApdu = { cla: 0x80, ins: 0xe2, p1: 0x91, p2: 0, data: fromHex('bf3e035c015a'), le: 256 };

interface Opened {
  host: Channel;
  card: Channel;
}

/** Both sides of one session. */
function opened(level: SecurityLevel, { keyBytes = 16, isS16 = false, isRandom = false } = {}): Opened {
  const key = (first: number) => Uint8Array.from({ length: keyBytes }, (_, i) => first + i);
  const keyset = { enc: key(0x40), mac: key(0x80) };
  const bytes = isS16 ? 16 : 8;
  const option = 0x60 | (isS16 ? 0x01 : 0) | (isRandom ? 0 : 0x10);
  const own: CardOpening = { keyset, keyVersion: 0x30, option, aid: AID };
  const card = isRandom ? { ...own, randomChallenge: new Uint8Array(bytes).fill(7) } : { ...own, sequenceCounter: 1 };
  const hostChallenge = Uint8Array.from({ length: bytes }, (_, i) => i + 1);
  const { answer, halfOpen } = answerInitializeUpdate(card, initializeUpdate(0x30, hostChallenge));
  const asked = { keyset, keyVersion: 0x30, hostChallenge, level, aid: AID };
  const { channel, command } = openChannel(asked, encodeInitializeUpdateAnswer(answer));
  return { host: channel, card: acceptHost(halfOpen, command) };
}

const KINDS = [16, 24, 32].flatMap((keyBytes) =>
  [false, true].flatMap((isS16) => [false, true].map((isRandom) => ({ keyBytes, isS16, isRandom }))),
);

const plainCommand = fc.record(
  {
    cla: fc.constantFrom(0x00, 0x80, 0x01, 0x83, 0x90),
    ins: fc.constantFrom(0xe2, 0xca, 0xf2),
    p1: fc.nat({ max: 255 }),
    p2: fc.nat({ max: 255 }),
    data: fc.uint8Array({ minLength: 1, maxLength: 223 }),
    le: fc.constant(256),
  },
  { requiredKeys: ['cla', 'ins', 'p1', 'p2'] },
);
const plainResponse = fc.record({
  data: fc.uint8Array({ maxLength: 300 }),
  sw: fc.constantFrom(0x9000, 0x6310, 0x6283),
});

describe.each(KINDS)('a channel with $keyBytes-byte keys, S16: $isS16, random challenge: $isRandom', (kind) => {
  it.each(SECURITY_LEVELS)('carries every command and answer at level %i, and both sides stay in step', (level) => {
    fc.assert(
      fc.property(fc.array(fc.tuple(plainCommand, plainResponse), { maxLength: 4 }), (exchanges) => {
        let { host, card } = opened(level, kind);
        for (const [command, response] of exchanges) {
          const sent = wrapCommand(host, command);
          const received = unwrapCommand(card, sent.command);
          expect(received.command).toEqual(command);
          [host, card] = [sent.channel, received.channel];
          expect({ ...host, keys: 0 }).toEqual({ ...card, keys: 0 });
          const read = unwrapResponse(host, wrapResponse(card, response));
          expect({ ...read, data: Uint8Array.from(read.data) }).toEqual(response);
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe('a command', () => {
  it.each<[SecurityLevel, boolean, number]>([
    [0x00, false, 255],
    [0x01, false, 247],
    [0x33, false, 239],
    [0x33, true, 223],
    [0x11, true, 239],
  ])('at level %i, S16: %s, takes %i bytes at most', (level, isS16, limit) => {
    const { host, card } = opened(level, { isS16 });
    expect(maxPlainBytes(host)).toBe(limit);
    const fits = wrapCommand(host, { ...STORE, data: new Uint8Array(limit) });
    expect(unwrapCommand(card, fits.command).command.data).toHaveLength(limit);
    if (level === 0) return;
    const refusal = refusalOf(() => wrapCommand(host, { ...STORE, data: new Uint8Array(limit + 1) }));
    expect(refusal).toMatchObject({ code: 'scp03.data-too-long', details: { length: limit + 1, limit } });
  });

  it('in the extended form takes more, on both sides', () => {
    const { host, card } = opened(0x33);
    const long = { ...STORE, data: new Uint8Array(2_000).fill(5), isExtended: true };
    expect(unwrapCommand(card, wrapCommand(host, long).command).command).toEqual(long);
  });

  it('hides its logical channel from the MAC, but keeps the class it is of', () => {
    const { host } = opened(0x01);
    const mac = (cla: number) => toHex(wrapCommand(host, { ...STORE, cla }).command.data!.slice(-8));
    expect(mac(0x83)).toBe(mac(0x80));
    expect(mac(0x00)).not.toBe(mac(0x80));
    expect(codeOf(() => wrapCommand(host, { ...STORE, cla: 0xc1 }))).toBe('scp03.malformed');
  });

  it('is refused once any bit of it is another, and the refusal tells nothing of keys or data', () => {
    const { host, card } = opened(0x33);
    const { command } = wrapCommand(host, STORE);
    fc.assert(
      fc.property(fc.nat({ max: command.data!.length - 1 }), fc.nat({ max: 7 }), (at, bit) => {
        const data = Uint8Array.from(command.data!);
        data[at]! ^= 1 << bit;
        const refusal = refusalOf(() => unwrapCommand(card, { ...command, data }));
        expect(refusal.code).toBe('scp03.command-mac');
        expect(Object.values(refusal.details).filter((each) => typeof each === 'object')).toEqual([]);
      }),
    );
    for (const wrong of [{ ins: 0xe4 }, { p1: 0x90 }, { p2: 1 }])
      expect(codeOf(() => unwrapCommand(card, { ...command, ...wrong }))).toBe('scp03.command-mac');
  });

  it('is refused a second time, out of order, and in another session', () => {
    const { host, card } = opened(0x03);
    const first = wrapCommand(host, STORE);
    const second = wrapCommand(first.channel, STORE);
    expect(codeOf(() => unwrapCommand(card, second.command))).toBe('scp03.command-mac');
    const { channel } = unwrapCommand(card, first.command);
    expect(codeOf(() => unwrapCommand(channel, first.command))).toBe('scp03.command-mac');
    expect(codeOf(() => unwrapCommand(opened(0x03, { isRandom: true }).card, first.command))).toBe('scp03.command-mac');
  });

  it.each<[string, Partial<CommandApdu>]>([
    ['in clear', { cla: 0x80 }],
    ['without data', { cla: 0x84, data: undefined }],
    ['too short for a MAC', { cla: 0x84, data: new Uint8Array(7) }],
  ])('%s is refused where the level demands protection', (_, wrong) => {
    const { card } = opened(0x01);
    expect(codeOf(() => unwrapCommand(card, { ...STORE, ...wrong }))).toBe('scp03.not-protected');
  });

  it('of a host that has the keys and still does not encrypt is refused after its MAC is found good', () => {
    const { host, card } = opened(0x03);
    const inClear = { ...host, level: 0x01 as const };
    expect(codeOf(() => unwrapCommand(card, wrapCommand(inClear, STORE).command))).toBe('scp03.padding');
    const blocks = wrapCommand(inClear, { ...STORE, data: new Uint8Array(16) }).command;
    expect(codeOf(() => unwrapCommand(card, blocks))).toBe('scp03.padding');
  });
});

describe('an answer', () => {
  const answered = (level: SecurityLevel, response: ResponseApdu) => {
    const { host, card } = opened(level);
    const sent = wrapCommand(host, STORE);
    return { host: sent.channel, answer: wrapResponse(unwrapCommand(card, sent.command).channel, response) };
  };

  it('is refused once any byte of it or its status is another', () => {
    const { host, answer } = answered(0x33, { data: fromHex('bf3e0101'), sw: 0x9000 });
    for (let at = 0; at < answer.data.length; at += 1) {
      const data = Uint8Array.from(answer.data);
      data[at]! ^= 1;
      expect(codeOf(() => unwrapResponse(host, { ...answer, data }))).toBe('scp03.response-mac');
    }
    expect(codeOf(() => unwrapResponse(host, { ...answer, sw: 0x6310 }))).toBe('scp03.response-mac');
  });

  it('without data is still authenticated: a suppressed MAC is refused', () => {
    const { host, answer } = answered(0x33, { data: fromHex(''), sw: 0x9000 });
    expect(answer.data).toHaveLength(8);
    expect(codeOf(() => unwrapResponse(host, { data: fromHex(''), sw: 0x9000 }))).toBe('scp03.not-protected');
  });

  it('with an error carries neither data nor MAC, and data that someone adds is refused', () => {
    const { host, answer } = answered(0x33, { data: fromHex('01'), sw: 0x6985 });
    expect(answer).toEqual({ data: fromHex(''), sw: 0x6985 });
    expect(unwrapResponse(host, answer).sw).toBe(0x6985);
    expect(codeOf(() => unwrapResponse(host, { data: fromHex('01'), sw: 0x6985 }))).toBe('scp03.not-protected');
  });

  it('of one command does not pass for that of the next', () => {
    const { host, answer } = answered(0x13, { data: fromHex('01'), sw: 0x9000 });
    expect(codeOf(() => unwrapResponse(wrapCommand(host, STORE).channel, answer))).toBe('scp03.response-mac');
  });
});

describe('a protected segment (SCP03t)', () => {
  it('is read back in step, encrypted or not, and refused once a byte is another', () => {
    const { host, card } = opened(0x33);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 900 }), fc.boolean(), (data, isEncrypted) => {
        const { segment, channel } = wrapSegment(host, data, { isEncrypted });
        const read = unwrapSegment(card, segment, { isEncrypted });
        expect(Uint8Array.from(read.data)).toEqual(data);
        expect({ ...channel, keys: 0 }).toEqual({ ...read.channel, keys: 0 });
        const changed = Uint8Array.from(segment);
        changed[segment.length - 1]! ^= 1;
        expect(codeOf(() => unwrapSegment(card, changed, { isEncrypted }))).toBe('scp03.command-mac');
      }),
    );
  });

  it.each<[string, string, GlobalPlatformErrorCode]>([
    ['nothing', '', 'scp03.not-protected'],
    ['no MAC', '860101', 'scp03.not-protected'],
    ['two objects', '8608000000000000000086080000000000000000', 'scp03.not-protected'],
    ['half an object', '8608', 'tlv.truncated'],
  ])('with %s is refused', (_, hex, code) =>
    expect(codeOf(() => unwrapSegment(opened(0x33).card, fromHex(hex)))).toBe(code),
  );

  it('is of 1,024 bytes at most', () =>
    expect(codeOf(() => wrapSegment(opened(0x33).host, new Uint8Array(1_024)))).toBe('scp03.data-too-long'));

  it('that is not encrypted where it should be is refused', () => {
    const { host, card } = opened(0x33);
    const { segment } = wrapSegment(host, concat(fromHex('bf2400')), { isEncrypted: false });
    expect(codeOf(() => unwrapSegment(card, segment))).toBe('scp03.padding');
  });
});
