import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decrypt, encrypt, openSealed, sealPersonal } from './seal.js';

const key = randomBytes(32);
const eventId = '01890a5d-ac96-774b-bcce-b302099a8057';
const schema = {
  type: 'object',
  properties: {
    imei: { 'x-personal': true },
    cards: { type: 'array', items: { properties: { 'icc/id~': { 'x-personal': true }, slot: {} } } },
    attributes: { type: 'object', additionalProperties: { 'x-personal': true } },
  },
};

describe('sealed fields', () => {
  it('come back as they went, whatever JSON they hold', () =>
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (imei, iccid) => {
        const data = { imei, open: 1, cards: [{ slot: 1, 'icc/id~': iccid }], attributes: { a: imei } };
        const stored = JSON.parse(JSON.stringify(sealPersonal(data, schema, eventId, key))) as object;
        expect(openSealed(stored, eventId, key)).toEqual(JSON.parse(JSON.stringify(data)));
      }),
    ));

  it('hold nothing readable, and leave the rest readable', () => {
    const sealed = sealPersonal({ imei: '490154203237518', open: 'kept' }, schema, eventId, key);
    expect(JSON.stringify(sealed)).not.toContain('490154203237518');
    expect(sealed).toMatchObject({ open: 'kept', imei: { $sealed: expect.stringMatching(/^[\w-]{40,}$/) as string } });
  });

  it('are null without their key, in another event and at another place', () => {
    const sealed = sealPersonal({ imei: 'x' }, schema, eventId, key) as { imei: object };
    expect(openSealed(sealed, eventId, undefined)).toEqual({ imei: null });
    expect(openSealed(sealed, eventId, randomBytes(32))).toEqual({ imei: null });
    expect(openSealed(sealed, eventId.replace('0', '1'), key)).toEqual({ imei: null });
    expect(openSealed({ moved: sealed.imei }, eventId, key)).toEqual({ moved: null });
  });

  it('show any changed byte', () => {
    const sealed = encrypt(key, Buffer.from('plain'), 'associated');
    for (let at = 0; at < sealed.length; at += 1) {
      const bent = Buffer.from(sealed);
      bent[at] = (bent[at] ?? 0) ^ 1;
      expect(decrypt(key, bent, 'associated')).toBeUndefined();
    }
  });
});
