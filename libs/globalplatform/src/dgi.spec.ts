import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat, fromHex, toHex } from './bytes.js';
import { decodeDgis, encodeDgi } from './dgi.js';
import { codeOf, refusalOf } from './testing.js';

describe('a data grouping (DGI)', () => {
  it('reads back every list it has written', () => {
    const made = fc.record({ dgi: fc.nat({ max: 0xffff }), value: fc.uint8Array({ maxLength: 700 }) });
    fc.assert(
      fc.property(fc.array(made, { maxLength: 5 }), (list) => {
        const bytes = concat(...list.map(({ dgi, value }) => encodeDgi(dgi, value)));
        expect(decodeDgis(bytes).map(({ dgi, value }) => ({ dgi, value: Uint8Array.from(value) }))).toEqual(list);
      }),
    );
  });

  it('has one byte of length up to FE, three above: not as BER has it', () => {
    expect(toHex(encodeDgi(0x3a01, new Uint8Array(0xfe)).subarray(0, 4))).toBe('3a01fe00');
    expect(toHex(encodeDgi(0x3a01, new Uint8Array(0xff)).subarray(0, 5))).toBe('3a01ff00ff');
    expect(toHex(encodeDgi(0x3a01, new Uint8Array(0x80)).subarray(0, 3))).toBe('3a0180');
  });

  it.each([
    ['3a', 1],
    ['3a01', 2],
    ['3a010501', 2],
    ['3a01ff00', 4],
    ['3a0100 3a02ff0002aa', 5],
  ])('refuses %s, which ends early, and says at which byte', (hex, offset) =>
    expect(refusalOf(() => decodeDgis(fromHex(hex), 'STORE DATA'))).toMatchObject({
      code: 'dgi.truncated',
      details: { step: 'decode DGI', input: 'STORE DATA', offset },
    }),
  );

  it('refuses what does not fit its two bytes', () => {
    expect(codeOf(() => encodeDgi(0x3a01, new Uint8Array(65_536)))).toBe('dgi.too-large');
    expect(codeOf(() => encodeDgi(65_536, new Uint8Array(0)))).toBe('dgi.number');
    expect(codeOf(() => decodeDgis(new Uint8Array(65_537)))).toBe('dgi.too-large');
  });
});
