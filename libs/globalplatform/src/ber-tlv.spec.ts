import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeTlv, decodeTlvs, decodeTlvTree, encodeLength, encodeTlv, needTlv, type TlvTree } from './ber-tlv.js';
import { concat, fromHex, toHex } from './bytes.js';
import { codeOf, refusalOf } from './testing.js';

interface Made {
  tag: number;
  value: Uint8Array | Made[];
}

const primitive = fc.oneof(
  fc.integer({ min: 0x01, max: 0x1e }),
  fc.integer({ min: 0x40, max: 0x5e }),
  fc.constantFrom(0x5f24, 0x9f70, 0x9f65, 0xdf01, 0x5f37, 0x9f8101, 0xdf8101, 0xdf20),
);
const constructed = fc.constantFrom(0x61, 0x6f, 0xa5, 0xe3, 0x7f21, 0x7f49, 0xbf0c, 0xbf24, 0xbf8101);

const { tree } = fc.letrec<{ tree: Made }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({ tag: primitive, value: fc.uint8Array({ maxLength: 300 }) }),
    fc.record({ tag: constructed, value: fc.array(tie('tree'), { maxLength: 4 }) }),
  ),
}));

const encoded = ({ tag, value }: Made): Uint8Array =>
  encodeTlv(tag, value instanceof Uint8Array ? value : value.map(encoded));

const madeOf = ({ tag, value, children }: TlvTree): Made => ({
  tag,
  value: children === undefined ? Uint8Array.from(value) : children.map(madeOf),
});

describe('BER-TLV', () => {
  it('reads back every tree it has written', () => {
    fc.assert(
      fc.property(fc.array(tree, { maxLength: 4 }), (made) => {
        expect(decodeTlvTree(concat(...made.map(encoded))).map(madeOf)).toEqual(made);
      }),
    );
  });

  it('writes again what it has read, wherever lengths are in the fewest bytes', () => {
    fc.assert(
      fc.property(fc.array(tree, { maxLength: 4 }), (made) => {
        const bytes = concat(...made.map(encoded));
        expect(concat(...decodeTlvs(bytes).map(({ tag, value }) => encodeTlv(tag, value)))).toEqual(bytes);
      }),
    );
  });

  it.each([
    [0, '00'],
    [0x7f, '7f'],
    [0x80, '8180'],
    [0xff, '81ff'],
    [0x100, '820100'],
    [0xffff, '82ffff'],
    [0x10000, '83010000'],
  ])('writes a length of %i as %s', (length, hex) => expect(toHex(encodeLength(length))).toBe(hex));

  it('reads an FCI and says where in the input each object begins', () => {
    const [fci] = decodeTlvTree(fromHex('6f10 8408a000000151000000 a504 9f6501ff'));
    expect(fci?.children?.map(({ tag, offset }) => [tag.toString(16), offset])).toEqual([
      ['84', 2],
      ['a5', 12],
    ]);
    expect(fci?.children?.[1]?.children?.[0]).toMatchObject({ tag: 0x9f65, value: fromHex('ff'), offset: 14 });
  });

  it('reads a length that is not in the fewest bytes, as some cards write it', () =>
    expect(decodeTlvs(fromHex('4f82000101'))[0]?.value).toEqual(fromHex('01')));

  it('reads up to an end-of-contents where that is allowed, as in an expanded script', () => {
    const [script] = decodeTlvTree(fromHex('ae80 22050102030405 2203aabbcc 0000'), {
      isIndefiniteAllowed: true,
      opaqueTags: [0x22],
    });
    expect(script?.children?.map(({ value }) => toHex(value))).toEqual(['0102030405', 'aabbcc']);
    expect(toHex(script!.value)).toBe('220501020304052203aabbcc');
  });

  it.each([
    ['an indefinite length where none is allowed', 'ae8022000000', 'tlv.length', 1],
    ['a length in more than 3 bytes', '4f8400000001ff', 'tlv.length', 1],
    ['a value that ends early', '4f0501', 'tlv.truncated', 1],
    ['a tag that ends early', '9f', 'tlv.truncated', 1],
    ['an object without a length', '4f', 'tlv.truncated', 1],
    ['a length that ends early', '4f8201', 'tlv.truncated', 3],
    ['an inner object that is longer than the one around it', '6f034f0501', 'tlv.truncated', 3],
    ['padding between objects', '4f010000', 'tlv.tag', 3],
    ['a tag of four bytes', '9f81818101', 'tlv.tag', 0],
    ['a tag number with leading zeros', '9f8001', 'tlv.tag', 1],
  ])('refuses %s and says at which byte', (_, hex, code, offset) =>
    expect(refusalOf(() => decodeTlvTree(fromHex(hex), { input: 'FCI' }))).toMatchObject({
      code,
      details: { step: 'decode TLV', input: 'FCI', offset },
    }),
  );

  it('refuses an end-of-contents that never comes', () =>
    expect(codeOf(() => decodeTlvs(fromHex('ae802200'), { isIndefiniteAllowed: true }))).toBe('tlv.truncated'));

  it('refuses more than 16 levels, 4,096 objects or 64 KiB', () => {
    const nested = (levels: number): Uint8Array =>
      levels === 0 ? new Uint8Array(0) : encodeTlv(0x6f, nested(levels - 1));
    expect(decodeTlvTree(nested(15))).toHaveLength(1);
    expect(codeOf(() => decodeTlvTree(nested(17)))).toBe('tlv.depth');
    expect(codeOf(() => decodeTlvs(new Uint8Array(60_000).fill(0x80), { isIndefiniteAllowed: true }))).toBe(
      'tlv.length',
    );
    const open = Uint8Array.from({ length: 60_000 }, (_, i) => (i % 2 === 0 ? 0xae : 0x80));
    expect(codeOf(() => decodeTlvs(open, { isIndefiniteAllowed: true }))).toBe('tlv.depth');
    const many = Uint8Array.from({ length: 8_194 }, (_, i) => (i % 2 === 0 ? 0x4f : 0));
    expect(codeOf(() => decodeTlvs(many))).toBe('tlv.too-large');
    expect(codeOf(() => decodeTlvs(new Uint8Array(65_537)))).toBe('tlv.too-large');
    expect(codeOf(() => encodeLength(65_537))).toBe('tlv.too-large');
  });

  it.each([0, 0x00ff, -1, 1.5, 0x4f4f, 0x9f8001, 0x1_000_000])('refuses to write %d as a tag', (tag) =>
    expect(['tlv.tag', 'tlv.truncated']).toContain(codeOf(() => encodeTlv(tag))),
  );

  it('takes one object by its tag, and says which tag is not there', () => {
    expect(decodeTlv(fromHex('4f0101'), 0x4f).value).toEqual(fromHex('01'));
    expect(refusalOf(() => decodeTlv(fromHex('4f0101'), 0x84)).details).toMatchObject({ tag: 0x84 });
    expect(codeOf(() => decodeTlv(fromHex('4f01014f0101'), 0x4f))).toBe('tlv.length');
    expect(codeOf(() => decodeTlv(new Uint8Array(0), 0x4f))).toBe('tlv.missing');
    expect(codeOf(() => needTlv([], 0x4f, 'entry'))).toBe('tlv.missing');
  });

  it('says nothing of a value in a refusal', () => {
    const refusal = refusalOf(() => decodeTlvTree(fromHex('6f0c 8101c0 8205deadbeef')));
    expect(JSON.stringify([refusal.details, refusal.message])).not.toMatch(/dead|222|192/);
  });
});
