import { createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decryptCbc, encryptBlock, encryptCbc, pad80, unpad80 } from './aes.js';
import { aesCmac, subkeysOf } from './aes-cmac.js';
import { concat, fromHex, toHex } from './bytes.js';
import { codeOf, refusalOf } from './testing.js';

/** The message of RFC 4493 §4 and SP 800-38B, appendix D; its first 0, 16, 40 and 64 bytes are authenticated. */
const MESSAGE = fromHex(
  '6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51 30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710',
);
const PUBLISHED: [keyHex: string, macs: [length: number, mac: string][]][] = [
  [
    '2b7e151628aed2a6abf7158809cf4f3c',
    [
      [0, 'bb1d6929e95937287fa37d129b756746'],
      [16, '070a16b46b4d4144f79bdd9dd04a287c'],
      [40, 'dfa66747de9ae63030ca32611497c827'],
      [64, '51f0bebf7e3b9d92fc49741779363cfe'],
    ],
  ],
  [
    '8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b',
    [
      [0, 'd17ddf46adaacde531cac483de7a9367'],
      [16, '9e99a7bf31e710900662f65e617c5184'],
      [40, '8a1de5be2eb31aad089a82e6ee908b0e'],
      [64, 'a1d5df0eed790f794d77589659f39a11'],
    ],
  ],
  [
    '603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4',
    [
      [0, '028962f61b7bf89efc6b551f4667d983'],
      [16, '28a7023f452e8f82bd4bf28d8c37c35c'],
      [40, 'aaf3d8f1de5640c232f5b169b9c911e6'],
      [64, 'e1992190549f6ed5696a2c056c315410'],
    ],
  ],
];

describe.each(PUBLISHED)('AES-CMAC with the published key %s', (keyHex, macs) => {
  it.each(macs)('authenticates %i bytes as published', (length, mac) => {
    expect(toHex(aesCmac(fromHex(keyHex), MESSAGE.subarray(0, length)))).toBe(mac);
    expect(toHex(aesCmac(createSecretKey(fromHex(keyHex)), MESSAGE.subarray(0, length)))).toBe(mac);
  });
});

describe('AES-CMAC', () => {
  it('has the subkeys of RFC 4493', () => {
    const { k1, k2 } = subkeysOf(encryptBlock(fromHex(PUBLISHED[0]![0]), new Uint8Array(16)));
    expect([toHex(k1), toHex(k2)]).toEqual(['fbeed618357133667c85e08f7236a8de', 'f7ddac306ae266ccf90bc11ee46d513b']);
  });

  it('is the same however the message is cut into parts', () => {
    const key = fromHex(PUBLISHED[0]![0]);
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }), (parts) => {
        expect(aesCmac(key, ...parts)).toEqual(aesCmac(key, concat(...parts)));
      }),
    );
  });

  it('refuses a key of another length by its length alone', () => {
    const refusal = refusalOf(() => aesCmac(new Uint8Array(15).fill(0xc7), MESSAGE));
    expect(refusal).toMatchObject({ code: 'aes.key-length', details: { length: 15 } });
    expect(refusal.message).not.toMatch(/c7|199/);
    expect(codeOf(() => aesCmac(createSecretKey(new Uint8Array(20)), MESSAGE))).toBe('aes.key-length');
  });
});

describe('AES-CBC without OpenSSL’s padding', () => {
  const bytes = fc.uint8Array({ maxLength: 100 });
  const keys = fc.constantFrom(16, 24, 32).chain((length) => fc.uint8Array({ minLength: length, maxLength: length }));

  it('gives back what was padded and encrypted', () => {
    fc.assert(
      fc.property(keys, bytes, fc.uint8Array({ minLength: 16, maxLength: 16 }), (key, data, iv) => {
        const plain = unpad80(decryptCbc(key, encryptCbc(key, pad80(data), iv), iv));
        expect(Uint8Array.from(plain!)).toEqual(data);
      }),
    );
  });

  it('pads by one byte at least and a block at most', () => {
    expect(toHex(pad80(new Uint8Array(15)))).toBe(`${'00'.repeat(15)}80`);
    expect(pad80(new Uint8Array(16))).toHaveLength(32);
  });

  it.each(['', '00', '01', '8001', '00'.repeat(32)])('finds no padding in %s', (hex) =>
    expect(unpad80(fromHex(hex))).toBeUndefined(),
  );

  it('reads padding of a block more than there must be', () =>
    expect(unpad80(fromHex(`aa80${'00'.repeat(20)}`))).toEqual(fromHex('aa')));

  it('refuses what is not whole blocks', () =>
    expect(codeOf(() => decryptCbc(new Uint8Array(16), new Uint8Array(17)))).toBe('aes.block'));
});

describe('hex at the edges', () => {
  it('reads with spaces, as documents write it', () => expect(fromHex('84 82 3300')).toEqual(fromHex('84823300')));
  it.each(['8', '0g', '0x00'])('refuses %s', (text) => expect(codeOf(() => fromHex(text))).toBe('bytes.hex'));
});
