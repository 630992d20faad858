import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isSignedBy } from './keys.js';
import { exportSigner, generateSigner, importSigner, openSigner, sealSigner } from './signer.js';

const data = Buffer.from('metadata');
const refusal = (code: string) => expect.objectContaining({ code }) as Error;

describe('signer', () => {
  it('signs as its public half says, and again after export and import', () => {
    const signer = generateSigner();
    const again = importSigner(exportSigner(signer));
    expect(again.keyId).toBe(signer.keyId);
    expect(isSignedBy(signer.public, data, Buffer.from(again.sign(data)).toString('hex'))).toBe(true);
  });

  it('shows no private key when it is printed', () => {
    const signer = generateSigner();
    const secret = Buffer.from(exportSigner(signer)).subarray(-32);
    expect(JSON.stringify(signer)).not.toContain(secret.toString('hex'));
    expect(Object.keys(signer).sort()).toEqual(['keyId', 'public']);
  });

  it('refuses what is not an Ed25519 private key with tuf.key-malformed', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    expect(() => importSigner(privateKey.export({ format: 'der', type: 'pkcs8' }))).toThrow(
      refusal('tuf.key-malformed'),
    );
    expect(() => importSigner(Buffer.from('nonsense'))).toThrow(refusal('tuf.key-malformed'));
  });
});

describe('sealed signer', async () => {
  const signer = generateSigner();
  const sealed = await sealSigner(signer, 'correct horse é');

  it('opens with its passphrase, composed or decomposed', async () => {
    expect((await openSigner(sealed, 'correct horse e\u0301')).keyId).toBe(signer.keyId);
  });

  it('refuses a wrong passphrase and a changed file with tuf.passphrase', async () => {
    await expect(openSigner(sealed, 'wrong')).rejects.toThrow(refusal('tuf.passphrase'));
    const swapped = sealed.replaceAll(signer.keyId, generateSigner().keyId);
    await expect(openSigner(swapped, 'correct horse é')).rejects.toThrow(refusal('tuf.passphrase'));
    const cut = JSON.stringify({ ...(JSON.parse(sealed) as object), sealed: 'AAAA' });
    await expect(openSigner(cut, 'correct horse é')).rejects.toThrow(refusal('tuf.passphrase'));
  });

  it('holds the private key in no form', () => {
    const secret = Buffer.from(exportSigner(signer)).subarray(-32);
    for (const encoding of ['hex', 'base64', 'base64url'] as const)
      expect(sealed).not.toContain(secret.toString(encoding).slice(0, 40));
  });

  it.each([
    ['no JSON', () => 'nonsense'],
    ['null', () => 'null'],
    ['another JSON', () => '{}'],
    ['a cost that would take all memory', () => sealed.replace('"N": 131072', '"N": 1073741824')],
    ['a missing salt', () => sealed.replace('"salt"', '"sugar"')],
  ])('refuses %s with tuf.key-malformed', async (_name, text) => {
    await expect(openSigner(text(), 'correct horse é')).rejects.toThrow(refusal('tuf.key-malformed'));
  });
});
