import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { publishedVectors } from '../../../test/support/vectors.js';
import { AIDS, isdPAid } from './aid.js';
import { type CommandApdu, decodeApdu, encodeApdu } from './apdu.js';
import { decodeTlv, encodeTlv } from './ber-tlv.js';
import { concat, fromHex, toHex } from './bytes.js';
import { deleteObject, getData, load, readDelete, readStoreData, select, storeData } from './commands.js';
import type { GlobalPlatformErrorCode } from './errors.js';
import { install, type Install, readInstall } from './install.js';
import {
  decodeStatusEntries,
  encodeStatusEntry,
  getStatus,
  LIFE_CYCLE,
  PRIVILEGE,
  privilegeBits,
  readGetStatus,
  readSetStatus,
  setStatus,
} from './status.js';
import { codeOf } from './testing.js';

const published = publishedVectors<{ vectors: { id: string; apdus: { response?: string }[] }[] }>('scp03');

const hex = (command: CommandApdu): string => toHex(encodeApdu(command));
const aid = fc.uint8Array({ minLength: 5, maxLength: 16 });
const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 });
const optional = { requiredKeys: [] };

const instance = fc.record(
  { loadFile: aid, module: aid, application: aid, privileges: bytes, parameters: bytes, token: bytes },
  { requiredKeys: ['application', 'privileges'] },
);
const anyInstall: fc.Arbitrary<Install> = fc.oneof(
  fc
    .tuple(
      fc.record({ loadFile: aid }),
      fc.record({ securityDomain: aid, hash: bytes, parameters: bytes, token: bytes }, optional),
    )
    .map(([needed, more]): Install => ({ for: 'load', ...needed, ...more })),
  fc
    .tuple(fc.constantFrom('install', 'make-selectable', 'install-and-make-selectable'), instance)
    .map(([purpose, given]) => ({ for: purpose, ...given })),
  fc.record({ securityDomain: aid, application: aid }).map((given): Install => ({ for: 'extradition', ...given })),
  fc.record({ application: aid }).map((given): Install => ({ for: 'personalization', ...given })),
  fc
    .record({ securityDomain: aid, application: aid, privileges: bytes, parameters: bytes, token: bytes }, optional)
    .map((given): Install => ({ for: 'registry-update', ...given })),
);

describe('INSTALL', () => {
  it('is read by the card as it was meant, in each of its forms', () => {
    fc.assert(
      fc.property(anyInstall, (wanted) => {
        expect(readInstall(decodeApdu(encodeApdu(install(wanted))))).toEqual(wanted);
      }),
    );
  });

  it('creates an ISD-P as SGP.02 has it', () =>
    expect(
      hex(
        install({
          for: 'install-and-make-selectable',
          loadFile: AIDS.isdPLoadFile,
          module: AIDS.isdPModule,
          application: isdPAid(2),
          privileges: fromHex('80c000'),
          parameters: fromHex('c9048102 0370 ef0483020400'),
        }),
      ),
    ).toBe(
      '80e60c0045' +
        '10a0000005591010ffffffff8900000d00' +
        '10a0000005591010ffffffff8900000e00' +
        '10a0000005591010ffffffff8900001200' +
        '0380c0000cc90481020370ef0483020400' +
        '0000',
    ));

  it('for personalization is as SGP.02 has it', () =>
    expect(hex(install({ for: 'personalization', application: isdPAid(2) }))).toBe(
      '80e6200016000010a0000005591010ffffffff890000120000000000',
    ));

  it.each<[string, Partial<CommandApdu>, GlobalPlatformErrorCode]>([
    ['a form that is none', { p1: 0x06 }, 'command.malformed'],
    ['a field that ends early', { p1: 0x20, data: fromHex('000010a0') }, 'command.malformed'],
    ['a field too few', { p1: 0x20, data: fromHex('000005a0000001510000') }, 'command.malformed'],
    ['a field too many', { p1: 0x20, data: fromHex('000005a000000151000000 00') }, 'command.malformed'],
    [
      'something in a field that must be empty',
      { p1: 0x20, data: fromHex('01aa0005a000000151000000') },
      'command.malformed',
    ],
    ['no application', { p1: 0x20, data: fromHex('000000000000') }, 'command.malformed'],
    ['an AID of 4 bytes', { p1: 0x20, data: fromHex('000004a0000001000000') }, 'aid.length'],
  ])('with %s is refused', (_, wrong, code) =>
    expect(codeOf(() => readInstall({ cla: 0x80, ins: 0xe6, p1: 0, p2: 0, ...wrong }))).toBe(code),
  );

  it('is not written with a field over 255 bytes', () =>
    expect(codeOf(() => install({ for: 'load', loadFile: AIDS.isdR, token: new Uint8Array(256) }))).toBe(
      'command.malformed',
    ));
});

describe('SELECT and GET DATA', () => {
  it('are as peers send them', () => {
    expect(hex(select())).toBe('00a4040000');
    expect(hex(select(fromHex('a000000151000000')))).toBe('00a4040008a00000015100000000');
    expect(hex(getData(0x66))).toBe('80ca006600');
    expect(hex(getData(0x9f7f))).toBe('80ca9f7f00');
    expect(hex(getData(0xbf30, fromHex('5c027f21')))).toBe('80cabf30045c027f2100');
    expect(codeOf(() => select(new Uint8Array(4)))).toBe('aid.length');
  });
});

describe('DELETE', () => {
  it('names an AID, a key, or a version', () => {
    expect(hex(deleteObject({ aid: fromHex('f00000000000004d'), withRelated: true }))).toBe(
      '80e400800a4f08f00000000000004d00',
    );
    expect(hex(deleteObject({ keyVersion: 0x30 }))).toBe('80e4000003d2013000');
    expect(hex(deleteObject({ aid: isdPAid(0), isProfile: true })).slice(0, 8)).toBe('80e40040');
  });

  it('is read by the card as it was meant', () => {
    const byAid = { aid: AIDS.isdR, withRelated: true, isProfile: false, token: fromHex('aabb') };
    expect(readDelete(deleteObject(byAid))).toEqual(byAid);
    expect(readDelete(deleteObject({ keyId: 1, keyVersion: 0x30 }))).toEqual({ keyId: 1, keyVersion: 0x30 });
    expect(readDelete(deleteObject({ keyVersion: 0x30 }))).toEqual({ keyVersion: 0x30 });
  });

  it('of nothing, or of a key of two bytes, is refused', () => {
    expect(codeOf(() => deleteObject({}))).toBe('command.malformed');
    for (const data of ['', 'd00100d2020030', 'd2020030', '5a0101'])
      expect(codeOf(() => readDelete({ cla: 0x80, ins: 0xe4, p1: 0, p2: 0, data: fromHex(data) }))).toBe(
        'command.malformed',
      );
  });
});

describe('LOAD and STORE DATA', () => {
  const sizes = fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 3_000 }), fc.integer({ min: 20, max: 255 }));

  it('carry everything in numbered blocks that fit, the last one marked', () => {
    fc.assert(
      fc.property(sizes, ([data, blockBytes]) => {
        for (const blocks of [load(data, blockBytes), storeData(data, { blockBytes })]) {
          expect(blocks.map(({ p2 }) => p2)).toEqual(blocks.map((_, i) => i));
          expect(blocks.map(({ p1 }) => p1 >= 0x80)).toEqual(blocks.map((_, i) => i === blocks.length - 1));
          expect(Math.max(...blocks.map((block) => block.data!.length))).toBeLessThanOrEqual(blockBytes);
        }
        const file = concat(...load(data, blockBytes).map((block) => block.data!));
        expect(Uint8Array.from(decodeTlv(file, 0xc4).value)).toEqual(data);
        expect(concat(...storeData(data, { blockBytes }).map((block) => block.data!))).toEqual(data);
      }),
    );
  });

  it('say in P1 how the data is built, which the card reads', () => {
    const how = { structure: 'dgi', encryption: 'all', mayAnswer: true, firstBlock: 3, blockBytes: 4 } as const;
    const blocks = storeData(fromHex('3a0102aabb'), how);
    expect(blocks.map(hex)).toEqual(['80e26903043a0102aa00', '80e2e90401bb00']);
    expect(readStoreData(blocks[1]!)).toEqual({
      structure: 'dgi',
      encryption: 'all',
      mayAnswer: true,
      block: 4,
      isLast: true,
      data: fromHex('bb'),
    });
    expect(codeOf(() => readStoreData({ cla: 0x80, ins: 0xe2, p1: 0x18, p2: 0 }))).toBe('command.malformed');
  });

  it('are refused if they need more than 256 blocks, or blocks of no size', () => {
    expect(codeOf(() => storeData(new Uint8Array(257), { blockBytes: 1 }))).toBe('command.malformed');
    expect(codeOf(() => storeData(new Uint8Array(1), { blockBytes: 1, firstBlock: 256 }))).toBe('command.malformed');
    expect(codeOf(() => load(new Uint8Array(1), 0))).toBe('command.malformed');
  });
});

describe('GET STATUS', () => {
  it('asks, and asks on', () => {
    expect(hex(getStatus({ scope: 'applications' }))).toBe('80f24002024f0000');
    expect(hex(getStatus({ scope: 'issuer', isNext: true }))).toBe('80f28003024f0000');
    expect(readGetStatus(getStatus({ scope: 'load-files', aid: AIDS.isdR }))).toEqual({
      scope: 'load-files',
      isNext: false,
      aid: AIDS.isdR,
    });
    expect(codeOf(() => readGetStatus({ cla: 0x80, ins: 0xf2, p1: 0x40, p2: 0, data: fromHex('4f00') }))).toBe(
      'command.malformed',
    );
    expect(codeOf(() => readGetStatus({ cla: 0x80, ins: 0xf2, p1: 0x40, p2: 2 }))).toBe('tlv.missing');
  });

  it.skipIf(published === undefined)(
    'reads what a real eUICC answers for an ISD-P, as others have published it',
    () => {
      const { response } = published!.vectors.find(({ id }) => id === 'kaoh-get_status')!.apdus[0]!;
      const [entry] = decodeStatusEntries(fromHex(response!));
      expect(entry).toMatchObject({
        aid: isdPAid(0),
        state: LIFE_CYCLE.application.enabled,
        securityDomain: AIDS.isdR,
      });
      expect(privilegeBits(entry!.privileges!)).toBe(
        PRIVILEGE.securityDomain | PRIVILEGE.trustedPath | PRIVILEGE.authorizedManagement,
      );
      expect(response).toContain(toHex(encodeStatusEntry(entry!)).slice(4)); // after it comes an object that only this card knows
    },
  );

  it('reads one byte of privileges as the first of three', () => expect(privilegeBits(fromHex('9e'))).toBe(0x9e0000));

  it('reads back every entry it has written', () => {
    const entry = fc.record(
      {
        aid,
        state: fc.nat({ max: 255 }),
        privileges: bytes,
        loadFile: aid,
        securityDomain: aid,
        version: bytes,
        modules: fc.array(aid, { minLength: 1, maxLength: 3 }),
      },
      { requiredKeys: ['aid', 'state'] },
    );
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 5 }), (entries) => {
        expect(decodeStatusEntries(concat(...entries.map(encodeStatusEntry)))).toEqual(entries);
      }),
    );
  });

  it('is refused where an entry has no AID or no state', () => {
    expect(codeOf(() => decodeStatusEntries(encodeTlv(0xe3, encodeTlv(0x9f70, fromHex('07')))))).toBe('tlv.missing');
    expect(codeOf(() => decodeStatusEntries(encodeTlv(0xe3, encodeTlv(0x4f, AIDS.isdR))))).toBe('tlv.missing');
    expect(decodeStatusEntries(encodeTlv(0xe0))).toEqual([]);
  });
});

describe('SET STATUS', () => {
  it('locks and unlocks an application, or a domain with all that is in it', () => {
    const application = fromHex('f0000000000002');
    expect(hex(setStatus({ of: 'application', aid: application, isLocked: true }))).toBe('80f0408007f0000000000002');
    expect(hex(setStatus({ of: 'domain', aid: application, isLocked: false }))).toBe('80f0600007f0000000000002');
    expect(hex(setStatus({ of: 'card', state: LIFE_CYCLE.card.locked }))).toBe('80f0807f');
  });

  it('is read by the card as it was meant', () => {
    for (const wanted of [
      { of: 'application', aid: AIDS.isdR, isLocked: true },
      { of: 'domain', aid: AIDS.isdR, isLocked: false },
      { of: 'card', state: 0x0f },
    ] as const)
      expect(readSetStatus(setStatus(wanted))).toEqual(wanted);
    expect(codeOf(() => readSetStatus({ cla: 0x80, ins: 0xf0, p1: 0x20, p2: 0 }))).toBe('command.malformed');
    expect(codeOf(() => readSetStatus({ cla: 0x80, ins: 0xf0, p1: 0x40, p2: 0 }))).toBe('aid.length');
  });
});
