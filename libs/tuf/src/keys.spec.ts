import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isSignedBy, keyIdOf, type TufKey } from './keys.js';

const data = Buffer.from('metadata');
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const ecdsa = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const shortRsa = generateKeyPairSync('rsa', { modulusLength: 1024 });
const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
const key = (keytype: string, scheme: string, value: string | KeyObject): TufKey => ({
  keytype,
  scheme,
  keyval: { public: typeof value === 'string' ? value : value.export({ format: 'pem', type: 'spki' }).toString() },
});

describe('signatures', () => {
  // RFC 8032 §7.1, TEST 3: not our own signer against our own reader.
  const rfc8032 = key('ed25519', 'ed25519', 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025');
  const signature =
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a';

  it('reads the Ed25519 vector of RFC 8032', () => {
    expect(isSignedBy(rfc8032, Buffer.from('af82', 'hex'), signature)).toBe(true);
    expect(isSignedBy(rfc8032, Buffer.from('af83', 'hex'), signature)).toBe(false);
  });

  it.each([
    ['ecdsa', 'ecdsa-sha2-nistp256', ecdsa, {}],
    ['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp256', ecdsa, {}],
    ['rsa', 'rsassa-pss-sha256', rsa, pss],
  ])('reads %s/%s', (keytype, scheme, pair, padding) => {
    const made = hex(sign('sha256', data, { key: pair.privateKey, ...padding }));
    expect(isSignedBy(key(keytype, scheme, pair.publicKey), data, made)).toBe(true);
    expect(isSignedBy(key(keytype, scheme, pair.publicKey), Buffer.from('other'), made)).toBe(false);
  });

  it.each([
    [
      'a curve other than P-256',
      key('ecdsa', 'ecdsa-sha2-nistp256', p384.publicKey),
      sign('sha256', data, p384.privateKey),
    ],
    ['PKCS#1 v1.5 for PSS', key('rsa', 'rsassa-pss-sha256', rsa.publicKey), sign('sha256', data, rsa.privateKey)],
    [
      'an RSA key under 2,048 bits',
      key('rsa', 'rsassa-pss-sha256', shortRsa.publicKey),
      sign('sha256', data, { key: shortRsa.privateKey, ...pss }),
    ],
    ['an unknown scheme', key('ecdsa', 'constructor', ecdsa.publicKey), sign('sha256', data, ecdsa.privateKey)],
    ['a key that is none', key('ecdsa', 'ecdsa-sha2-nistp256', 'nonsense'), Buffer.alloc(64)],
    ['an Ed25519 key of a wrong length', key('ed25519', 'ed25519', 'ab'), Buffer.alloc(64)],
  ])('takes no signature by %s', (_name, public_, made) => {
    expect(isSignedBy(public_, data, hex(made))).toBe(false);
  });

  it.each(['', 'zz', `${signature}0`, signature.slice(2)])('takes no signature %j', (text) => {
    expect(isSignedBy(rfc8032, Buffer.from('af82', 'hex'), text)).toBe(false);
  });

  it('names a key by the sha-256 of its canonical JSON, in whatever order it is written', () => {
    const { keyval, scheme, keytype } = rfc8032;
    expect(keyIdOf({ scheme, keyval, keytype })).toBe(keyIdOf(rfc8032));
    expect(keyIdOf(rfc8032)).toMatch(/^[0-9a-f]{64}$/);
  });
});
