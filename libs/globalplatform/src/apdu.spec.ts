import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AIDS, checkAid, isdPAid } from './aid.js';
import { type CommandApdu, decodeApdu, decodeResponse, encodeApdu, encodeResponse } from './apdu.js';
import { fromHex, toHex } from './bytes.js';
import { carriesData, describeStatus, needDone } from './status-word.js';
import { codeOf, refusalOf } from './testing.js';

const byte = fc.nat({ max: 0xff });
const header = { cla: byte, ins: byte, p1: byte, p2: byte };
const short = fc.record(
  { ...header, data: fc.uint8Array({ minLength: 1, maxLength: 255 }), le: fc.integer({ min: 1, max: 256 }) },
  { requiredKeys: ['cla', 'ins', 'p1', 'p2'] },
);
const extended = fc
  .record(
    { ...header, data: fc.uint8Array({ minLength: 1, maxLength: 2_000 }), le: fc.integer({ min: 1, max: 65_536 }) },
    { requiredKeys: ['cla', 'ins', 'p1', 'p2'] },
  )
  .filter(({ data, le }) => data !== undefined || le !== undefined)
  .map((command) => ({ ...command, isExtended: true }));

const copied = (command: CommandApdu): CommandApdu =>
  command.data === undefined ? command : { ...command, data: Uint8Array.from(command.data) };

describe('a command', () => {
  it('is read back as it was written, in each of its cases, short and extended', () => {
    fc.assert(
      fc.property(fc.oneof(short, extended), (command) => {
        expect(copied(decodeApdu(encodeApdu(command)))).toEqual(command);
      }),
    );
  });

  it.each<[string, string, Partial<CommandApdu>]>([
    ['1', '80ca0066', {}],
    ['2, all that there is', '80ca006600', { le: 256 }],
    ['2', '80ca006605', { le: 5 }],
    ['3', '80e4000003 4f01aa', { data: fromHex('4f01aa') }],
    ['4', '80e4000003 4f01aa 00', { data: fromHex('4f01aa'), le: 256 }],
    ['2, extended', '80ca0066 000000', { le: 65_536, isExtended: true }],
    ['3, extended', '80e40000 000003 4f01aa', { data: fromHex('4f01aa'), isExtended: true }],
    ['4, extended', '80e40000 000003 4f01aa 0100', { data: fromHex('4f01aa'), le: 256, isExtended: true }],
  ])('of case %s is %s', (_, hex, rest) => {
    const [cla, ins, p1, p2] = fromHex(hex) as unknown as [number, number, number, number];
    const command = { cla, ins, p1, p2, ...rest };
    expect(copied(decodeApdu(fromHex(hex)))).toEqual(command);
    expect(encodeApdu(command)).toEqual(fromHex(hex));
  });

  it('has 65,535 bytes of data at most, and only if the extended form is asked for', () => {
    const command = { cla: 0x80, ins: 0xe2, p1: 0, p2: 0, data: new Uint8Array(65_535), isExtended: true };
    expect(decodeApdu(encodeApdu(command)).data).toHaveLength(65_535);
    expect(codeOf(() => encodeApdu({ ...command, data: new Uint8Array(65_536) }))).toBe('apdu.data-too-long');
    const refusal = refusalOf(() => encodeApdu({ ...command, data: new Uint8Array(256), isExtended: false }));
    expect(refusal).toMatchObject({ code: 'apdu.data-too-long', details: { length: 256, limit: 255 } });
  });

  it.each([
    ['80ca00', 'apdu.truncated', 3],
    ['80ca00660501', 'apdu.truncated', 4],
    ['80ca006601010000', 'apdu.length', 6],
    ['80ca00660000', 'apdu.length', 4],
    ['80ca00660000000000', 'apdu.length', 5],
    ['80ca0066000005aa', 'apdu.truncated', 5],
    ['80ca0066000001aa00', 'apdu.length', 8],
  ])('is refused as %s, and at which byte is said', (hex, code, offset) =>
    expect(refusalOf(() => decodeApdu(fromHex(hex), 'vpcd'))).toMatchObject({
      code,
      details: { step: 'decode APDU', input: 'vpcd', offset },
    }),
  );

  it.each([{ le: 0 }, { le: 257 }, { le: 1.5 }, { p1: 256 }, { cla: -1 }])('is not written with %j', (wrong) =>
    expect(['apdu.le', 'apdu.byte']).toContain(
      codeOf(() => encodeApdu({ cla: 0x80, ins: 0xca, p1: 0, p2: 0, ...wrong })),
    ),
  );
});

describe('an answer', () => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat({ max: 0xffff }), (data, sw) => {
        const read = decodeResponse(encodeResponse({ data, sw }));
        expect({ ...read, data: Uint8Array.from(read.data) }).toEqual({ data, sw });
      }),
    );
  });

  it('has a status word and 64 KiB of data at most', () => {
    expect(codeOf(() => decodeResponse(fromHex('90')))).toBe('apdu.truncated');
    expect(codeOf(() => decodeResponse(new Uint8Array(65_539)))).toBe('apdu.length');
  });
});

describe('a status word', () => {
  it.each([
    [0x9000, '9000 done'],
    [0x6a88, '6A88 referenced data or key not found'],
    [0x63c2, '63C2 verification failed, 2 attempts left'],
    [0x6110, '6110 more bytes of the answer are waiting'],
    [0x6c05, '6C05 wrong Le; the right one is in the second byte'],
    [0x6a7f, '6A7F wrong parameters'],
    [0x1234, '1234 not told by any document'],
  ])('%i reads: %s', (sw, text) => expect(describeStatus(sw)).toBe(text));

  it('comes with data only where the command was done', () =>
    expect([0x9000, 0x6283, 0x6310, 0x6985, 0x6a88].filter(carriesData)).toEqual([0x9000, 0x6283, 0x6310]));

  it('other than 9000 is refused with step and meaning', () => {
    expect(needDone({ data: fromHex('01'), sw: 0x9000 }, 'PUT KEY')).toEqual(fromHex('01'));
    expect(refusalOf(() => needDone({ data: fromHex('c0'), sw: 0x9485 }, 'PUT KEY'))).toMatchObject({
      code: 'status.refused',
      message: 'PUT KEY: answer: 9485 wrong key check value',
      details: { sw: 0x9485, step: 'PUT KEY' },
    });
  });
});

describe('an application identifier', () => {
  it('is 5 to 16 bytes', () => {
    expect(checkAid(fromHex('a000000151'))).toHaveLength(5);
    for (const length of [0, 4, 17]) expect(codeOf(() => checkAid(new Uint8Array(length)))).toBe('aid.length');
  });

  it('of an ISD-P counts in bytes 14 and 15, beside that of the ISD-R', () => {
    expect(toHex(isdPAid(0))).toBe('a0000005591010ffffffff8900001000');
    expect(toHex(isdPAid(2))).toBe('a0000005591010ffffffff8900001200');
    expect(toHex(isdPAid(0xffef))).toBe('a0000005591010ffffffff8900ffff00');
    expect(codeOf(() => isdPAid(0xfff0))).toBe('aid.length');
    expect(toHex(AIDS.isdR)).toBe('a0000005591010ffffffff8900000100');
  });
});
