import { createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat, fromHex } from './bytes.js';
import type { GlobalPlatformErrorCode } from './errors.js';
import { putKey, readPutKey } from './put-key.js';
import { contextOf, type Keyset } from './scp03-keys.js';
import { checkLevel, SECURITY_LEVELS } from './scp03-level.js';
import {
  acceptHost,
  answerInitializeUpdate,
  authenticate,
  type CardOpening,
  decodeInitializeUpdateAnswer,
  encodeInitializeUpdateAnswer,
  type HostOpening,
  initializeUpdate,
  openChannel,
} from './scp03-open.js';
import { segmentAuthenticate, segmentInitializeUpdate } from './scp03-segment.js';
import { codeOf, refusalOf } from './testing.js';

const key = (first: number): Uint8Array => Uint8Array.from({ length: 16 }, (_, i) => first + i);
const KEYSET: Keyset = { enc: key(0x00), mac: key(0x10), dek: key(0x20) };
const AID = fromHex('a000000151000000');
const CHALLENGE = fromHex('0102030405060708');
const CARD: CardOpening = { keyset: KEYSET, keyVersion: 0x30, option: 0x70, aid: AID, sequenceCounter: 1 };
const HOST: HostOpening = { keyset: KEYSET, keyVersion: 0x30, hostChallenge: CHALLENGE, level: 0x33, aid: AID };

function met(card: Partial<CardOpening>, host: Partial<HostOpening>) {
  const { answer, halfOpen } = answerInitializeUpdate({ ...CARD, ...card }, initializeUpdate(0x30, CHALLENGE));
  return { halfOpen, ...openChannel({ ...HOST, ...host }, encodeInitializeUpdateAnswer(answer)) };
}

describe('opening a channel', () => {
  it('leaves both sides with the same channel', () => {
    const { halfOpen, channel, command } = met({}, {});
    expect(acceptHost(halfOpen, command)).toEqual(channel);
  });

  it('works with keys that cannot be printed', () => {
    const keyset = { enc: createSecretKey(key(0x00)), mac: createSecretKey(key(0x10)) };
    expect(met({}, { keyset }).channel).toEqual(met({}, {}).channel);
  });

  it.each<[string, Partial<CardOpening>, Partial<HostOpening>, GlobalPlatformErrorCode]>([
    ['another Key-MAC', { keyset: { ...KEYSET, mac: key(0x11) } }, {}, 'scp03.card-cryptogram'],
    ['another Key-ENC', { keyset: { ...KEYSET, enc: key(0x01) } }, {}, 'scp03.challenge'],
    ['another AID', { aid: fromHex('a000000151000001') }, {}, 'scp03.challenge'],
    ['another key version', { keyVersion: 0x31 }, {}, 'scp03.malformed'],
    ['no R-MAC for the level', { option: 0x10 }, {}, 'scp03.level'],
    ['no R-ENC for the level', { option: 0x30 }, {}, 'scp03.level'],
    ['an answer to another challenge', {}, { hostChallenge: fromHex('0102030405060709') }, 'scp03.card-cryptogram'],
    ['a level that is none', {}, { level: 0x02 }, 'scp03.level'],
  ])('is refused by the host with %s', (_, card, host, code) => expect(codeOf(() => met(card, host))).toBe(code));

  it('with key version 0 takes the one that the card chose', () =>
    expect(met({ keyVersion: 0x32 }, { keyVersion: 0 }).channel.level).toBe(0x33));

  it('is refused by the card with the cryptogram of other keys, before the MAC is looked at', () => {
    const { halfOpen, command } = met({}, {});
    for (const [at, code] of [
      [0, 'scp03.host-cryptogram'],
      [8, 'scp03.command-mac'],
    ] as const) {
      const data = Uint8Array.from(command.data!);
      data[at]! ^= 0x80;
      expect(codeOf(() => acceptHost(halfOpen, { ...command, data }))).toBe(code);
    }
    expect(codeOf(() => acceptHost(halfOpen, { ...command, p1: 0x03 }))).toBe('scp03.command-mac');
    expect(codeOf(() => acceptHost(halfOpen, { ...command, cla: 0x80 }))).toBe('scp03.malformed');
    expect(codeOf(() => acceptHost(halfOpen, { ...command, ins: 0x84 }))).toBe('scp03.malformed');
    expect(codeOf(() => acceptHost({ ...halfOpen, option: 0x10 }, command))).toBe('scp03.level');
  });

  it('needs of the card a counter that has begun, or a challenge from a generator', () => {
    const ask = initializeUpdate(0x30, CHALLENGE);
    expect(codeOf(() => answerInitializeUpdate({ ...CARD, sequenceCounter: 0 }, ask))).toBe('scp03.malformed');
    expect(codeOf(() => answerInitializeUpdate({ ...CARD, option: 0x60 }, ask))).toBe('scp03.malformed');
    expect(codeOf(() => answerInitializeUpdate({ ...CARD, option: 0x71 }, ask))).toBe('scp03.malformed');
    expect(codeOf(() => initializeUpdate(0x30, new Uint8Array(9)))).toBe('scp03.malformed');
    expect(codeOf(() => contextOf(CHALLENGE, new Uint8Array(16)))).toBe('scp03.malformed');
  });

  it('never shows a key in a refusal', () => {
    const refusal = refusalOf(() => met({ keyset: { ...KEYSET, mac: key(0xc1) } }, {}));
    expect(JSON.stringify({ ...refusal, text: refusal.message })).not.toMatch(/c1c2|193|1011/);
  });
});

describe('the answer to INITIALIZE UPDATE', () => {
  const { answer } = answerInitializeUpdate(CARD, initializeUpdate(0x30, CHALLENGE));
  const bytes = encodeInitializeUpdateAnswer(answer);

  it('is read back, with its counter or without', () => {
    expect(decodeInitializeUpdateAnswer(bytes)).toEqual(answer);
    const { sequenceCounter: _, ...random } = { ...answer, option: 0x60 };
    expect(decodeInitializeUpdateAnswer(encodeInitializeUpdateAnswer(random))).toEqual(random);
  });

  it.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array(0)],
    ['a byte less', bytes.slice(0, -1)],
    ['a byte more', concat(bytes, fromHex('00'))],
    ['protocol 02', bytes.map((byte, i) => (i === 11 ? 2 : byte))],
    ['an option with R-ENC and no R-MAC', bytes.map((byte, i) => (i === 12 ? 0x50 : byte))],
    ['an option with reserved bits', bytes.map((byte, i) => (i === 12 ? 0xf0 : byte))],
    ['an option that means another length', bytes.map((byte, i) => (i === 12 ? 0x71 : byte))],
  ])('is refused with %s', (_, wrong) =>
    expect(codeOf(() => decodeInitializeUpdateAnswer(wrong))).toBe('scp03.malformed'),
  );
});

describe('a security level', () => {
  it('is one of six', () => {
    const known = Array.from({ length: 256 }, (_, level) => level).filter((level) => {
      try {
        return checkLevel(level, 0x70) === level;
      } catch {
        return false;
      }
    });
    expect(known).toEqual([...SECURITY_LEVELS]);
  });
});

describe('SCP03t', () => {
  it('opens with objects instead of commands', () => {
    expect(segmentInitializeUpdate(0x30, 0, CHALLENGE)).toEqual(concat(fromHex('840a3000'), CHALLENGE));
    const { halfOpen, channel, command } = met({}, {});
    const { segment, channel: opened } = segmentAuthenticate(channel, halfOpen.context);
    expect(segment.subarray(0, 3)).toEqual(fromHex('851133'));
    expect(segment.subarray(3, 11)).toEqual(command.data!.subarray(0, 8));
    expect(segment.subarray(11)).toEqual(opened.chain.subarray(0, 8));
    expect(authenticate(channel, halfOpen.context).command).toEqual(command);
  });
});

describe('PUT KEY', () => {
  const dek = key(0x20);
  const lengths = fc.constantFrom(16, 24, 32);
  const anyKey = lengths.chain((length) => fc.uint8Array({ minLength: length, maxLength: length }));

  it('brings every key to the card, in both forms of its block', () => {
    fc.assert(
      fc.property(fc.array(anyKey, { minLength: 1, maxLength: 3 }), fc.boolean(), (keys, isBare) => {
        const form = isBare && keys.every(({ length }) => length !== 24) ? 'bare' : 'with-length';
        const read = readPutKey(putKey({ replaces: 0x30, keyVersion: 0x31, keys, form }, dek), dek);
        const got = read.keys.map(({ key: each }) => new Uint8Array(each instanceof Uint8Array ? each : each.export()));
        expect(got).toEqual(keys);
        expect(read).toMatchObject({ replaces: 0x30, keyVersion: 0x31 });
      }),
    );
  });

  const good = putKey({ replaces: 0, keyVersion: 0x30, keys: [key(0x40)] }, dek);
  const changed = (at: number, byte: number) => good.data!.map((each, i) => (i === at ? byte : each));

  it.each<[string, Uint8Array, GlobalPlatformErrorCode]>([
    ['nothing', new Uint8Array(0), 'put-key.malformed'],
    ['no key', fromHex('30'), 'put-key.malformed'],
    ['key version 0', changed(0, 0), 'put-key.malformed'],
    ['another key type', changed(1, 0x80), 'put-key.type'],
    ['a length beyond the end', changed(2, 0x40), 'put-key.malformed'],
    ['a key of 17 bytes', changed(3, 17), 'put-key.malformed'],
    ['another cryptogram', changed(4, good.data![4]! ^ 1), 'put-key.check-value'],
    ['another check value', changed(22, good.data![22]! ^ 1), 'put-key.check-value'],
    ['half a check value', good.data!.slice(0, -1), 'put-key.malformed'],
    ['two keys that P2 does not announce', concat(good.data!, good.data!.subarray(1)), 'put-key.malformed'],
  ])('with %s is refused', (_, data, code) => {
    const refusal = refusalOf(() => readPutKey({ ...good, data }, dek));
    expect(refusal.code).toBe(code);
    expect(refusal.details).toMatchObject({ step: 'PUT KEY' });
  });

  it('is refused under another Key-DEK, and says nothing of the key', () =>
    expect(codeOf(() => readPutKey(good, key(0x21)))).toBe('put-key.check-value'));

  it('has no bare block for a key of 24 bytes, and needs a key', () => {
    const keys = [new Uint8Array(24)];
    expect(codeOf(() => putKey({ replaces: 0, keyVersion: 1, keys, form: 'bare' }, dek))).toBe('put-key.malformed');
    expect(codeOf(() => putKey({ replaces: 0, keyVersion: 1, keys: [] }, dek))).toBe('put-key.malformed');
  });
});
