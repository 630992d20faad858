import { describe, expect, it } from 'vitest';
import {
  AIDS,
  type Channel,
  type CommandApdu,
  decodeResponse,
  decodeStatusEntries,
  encodeApdu,
  fromHex,
  getData,
  getStatus,
  initializeUpdate,
  keyCheckText,
  type Keyset,
  openChannel,
  putKey,
  type ResponseApdu,
  select,
  toHex,
  unwrapResponse,
  wrapCommand,
} from '#globalplatform/index.js';
import { VirtualElement } from './element.js';
import { type CapabilityProfile, PROFILES } from './profile.js';
import { FlakyStorage } from './testing.js';

const KEYSET: Keyset = {
  enc: fromHex('000102030405060708090a0b0c0d0e0f'),
  mac: fromHex('101112131415161718191a1b1c1d1e1f'),
  dek: fromHex('202122232425262728292a2b2c2d2e2f'),
};
const NEW: Keyset = {
  enc: fromHex('404142434445464748494a4b4c4d4e4f'),
  mac: fromHex('505152535455565758595a5b5c5d5e5f'),
  dek: fromHex('606162636465666768696a6b6c6d6e6f'),
};
const CHALLENGE = fromHex('0011223344556677');

const made = (storage = new FlakyStorage(), profile: CapabilityProfile = PROFILES.standard) =>
  VirtualElement.create(storage, { version: 0x30, ...KEYSET }, profile);
const send = async (element: VirtualElement, command: CommandApdu): Promise<ResponseApdu> =>
  decodeResponse(await element.transmit(encodeApdu(command)));
const status = async (element: VirtualElement, command: CommandApdu): Promise<string> =>
  (await send(element, command)).sw.toString(16);

/** The last three bytes of the answer to INITIALIZE UPDATE. */
const counterOf = (data: Uint8Array): number => Buffer.from(data).readUIntBE(29, 3);

/** A host that has opened a channel. */
class Host {
  private constructor(
    private readonly element: VirtualElement,
    private channel: Channel,
  ) {}

  static async open(element: VirtualElement, keyset = KEYSET, keyVersion = 0x30, level = 0x33): Promise<Host> {
    const answer = await send(element, initializeUpdate(keyVersion, CHALLENGE));
    const opening = { keyset, keyVersion, hostChallenge: CHALLENGE, level, aid: AIDS.issuerSecurityDomain };
    const { channel, command } = openChannel(opening, answer.data);
    expect(await status(element, command)).toBe('9000');
    return new Host(element, channel);
  }

  async send(command: CommandApdu): Promise<ResponseApdu> {
    const wrapped = this.wrap(command);
    return unwrapResponse(this.channel, await send(this.element, wrapped));
  }

  wrap(command: CommandApdu): CommandApdu {
    const wrapped = wrapCommand(this.channel, command);
    this.channel = wrapped.channel;
    return wrapped.command;
  }
}

describe('a virtual element', () => {
  it('is selected by its name, by the beginning of it, and by none', async () => {
    const element = await made();
    for (const aid of [undefined, AIDS.issuerSecurityDomain, AIDS.issuerSecurityDomain.subarray(0, 5)])
      expect(toHex((await send(element, select(aid))).data)).toBe('6f108408a000000151000000a5049f6501ff');
    expect(await status(element, select(fromHex('a0000000871002')))).toBe('6a82');
  });

  it('says what it is', async () => {
    const element = await made();
    // Card recognition data (GPCS appendix H): GlobalPlatform 2.3.1, SCP03 with option 70.
    expect(toHex((await send(element, getData(0x66))).data)).toBe(
      '6631732f06072a864886fc6b01600c060a2a864886fc6b02020301630906072a864886fc6b03640b06092a864886fc6b040370',
    );
    expect(toHex((await send(element, getData(0xe0))).data)).toBe('e012c00401308810c00402308810c00403308810');
    const bare = await made(undefined, PROFILES['bare-objects']);
    expect(toHex((await send(bare, getData(0xe0))).data)).toBe('c00401308810c00402308810c00403308810');
    expect(await status(element, getData(0x9f7f))).toBe('6a88');
  });

  it.each([0x01, 0x03, 0x11, 0x13, 0x33])('opens a channel at level %i, and answers in it', async (level) => {
    const element = await made();
    const host = await Host.open(element, KEYSET, 0x30, level);
    const [entry] = decodeStatusEntries((await host.send(getStatus({ scope: 'issuer' }))).data);
    expect([toHex(entry!.aid), entry!.state]).toEqual(['a000000151000000', 0x0f]);
    expect((await host.send(getStatus({ scope: 'applications' }))).sw).toBe(0x6a88);
    expect((await host.send(getData(0xe0))).data.length).toBe(20);
  });

  it('counts each session before it answers, over resets and power-ups', async () => {
    let storage = new FlakyStorage();
    await made(storage);
    const counters: number[] = [];
    for (let powerUp = 0; powerUp < 3; powerUp += 1) {
      storage = storage.restarted();
      const element = await VirtualElement.powerOn(storage);
      for (let session = 0; session < 2; session += 1) {
        counters.push(counterOf((await send(element, initializeUpdate(0, CHALLENGE))).data));
        await element.reset();
      }
    }
    expect(counters).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('believes nobody with other keys, and no command that was changed or comes twice', async () => {
    const element = await made();
    await send(element, initializeUpdate(0, CHALLENGE));
    const proof = { cla: 0x84, ins: 0x82, p1: 0x33, p2: 0, data: new Uint8Array(16) };
    expect(await status(element, proof)).toBe('6300');
    expect(await status(element, proof)).toBe('6985'); // what was half open is forgotten
    const host = await Host.open(element);
    const command = host.wrap(getStatus({ scope: 'issuer' }));
    const changed = { ...command, data: Uint8Array.from(command.data!, (byte, i) => (i === 0 ? byte ^ 1 : byte)) };
    expect(await status(element, changed)).toBe('6982');
    expect(await status(element, command)).toBe('6985'); // the channel has ended
    const second = await Host.open(element);
    const once = second.wrap(getStatus({ scope: 'issuer' }));
    expect(await status(element, once)).toBe('9000');
    expect(await status(element, once)).toBe('6982');
  });

  it('does nothing in clear that wants a channel', async () => {
    const element = await made();
    expect(await status(element, getStatus({ scope: 'issuer' }))).toBe('6982');
    expect(await status(element, putKey({ replaces: 0, keyVersion: 0x31, keys: Object.values(NEW) }, KEYSET.dek))).toBe(
      '6982',
    );
    await Host.open(element);
    expect(await status(element, getStatus({ scope: 'issuer' }))).toBe('6982');
    const open = await Host.open(element, KEYSET, 0x30, 0x00);
    expect((await open.send(getStatus({ scope: 'issuer' }))).sw).toBe(0x6982); // authenticated, and nothing is protected
  });

  it.each(['with-length', 'bare'] as const)(
    'takes new keys, written %s, and opens channels with them',
    async (form) => {
      const storage = new FlakyStorage();
      const element = await made(storage);
      const host = await Host.open(element);
      const added = await host.send(
        putKey({ replaces: 0, keyVersion: 0x31, keys: Object.values(NEW), form }, KEYSET.dek),
      );
      expect([added.sw, toHex(added.data)]).toEqual([
        0x9000,
        `31${Object.values(NEW).map(keyCheckText).join('').toLowerCase()}`,
      ]);
      const again = await VirtualElement.powerOn(storage.restarted());
      await Host.open(again, NEW, 0x31);
      await Host.open(again);
      const replaced = await (await Host.open(again, NEW, 0x31)).send(
        putKey({ replaces: 0x31, keyVersion: 0x32, keys: Object.values(KEYSET), form }, NEW.dek),
      );
      expect(replaced.sw).toBe(0x9000);
      await Host.open(again, KEYSET, 0x32);
      expect(await status(again, initializeUpdate(0x31, CHALLENGE))).toBe('6a88');
    },
  );

  it('refuses keys that are none, and keeps those that it has', async () => {
    const element = await made();
    const keys = Object.values(NEW);
    const wrong = async (command: CommandApdu) => (await (await Host.open(element)).send(command)).sw.toString(16);
    expect(await wrong(putKey({ replaces: 0, keyVersion: 0x31, keys }, NEW.dek))).toBe('9485'); // by another Key-DEK
    expect(await wrong(putKey({ replaces: 0, keyVersion: 0x30, keys }, KEYSET.dek))).toBe('6a80'); // is there already
    expect(await wrong(putKey({ replaces: 0x40, keyVersion: 0x31, keys }, KEYSET.dek))).toBe('6a88');
    expect(await wrong(putKey({ replaces: 0, keyVersion: 0x31, keys: keys.slice(0, 2) }, KEYSET.dek))).toBe('6a80');
    await Host.open(element);
  });

  it.each([
    ['00', '6700'],
    ['00a404', '6700'],
    ['80f20000ff00', '6700'],
    ['b0a4040000', '6e00'],
    ['01a4040000', '6881'],
    ['00a40000023f00', '6a86'],
    ['0012000000', '6d00'],
    ['00c0000000', '6985'],
    ['8050300104aabbccdd', '6a86'],
    ['8050300004aabbccdd', '6a80'],
    ['805040000800112233445566770000', '6700'],
  ])('answers %s with %s', async (bytes, sw) => {
    const element = await made();
    const command = new Uint8Array(Buffer.from(bytes, 'hex'));
    expect(toHex(await element.transmit(command))).toBe(sw);
  });

  it('is, after a power cut at any write of PUT KEY, as before it or as after it, and its counters never go back', async () => {
    const before = new FlakyStorage();
    await made(before);
    const whole = before.restarted(1_000_000);
    const keys = Object.values(NEW);
    const put = async (storage: FlakyStorage) => {
      const host = await Host.open(await VirtualElement.powerOn(storage));
      return host.send(putKey({ replaces: 0x30, keyVersion: 0x30, keys }, KEYSET.dek));
    };
    await put(whole);
    const written = 1_000_000 - whole.budget;
    const outcomes = new Set<string>();
    for (let cut = 0; cut <= written; cut += 1) {
      const storage = before.restarted(cut);
      const answered = await put(storage).catch(() => undefined);
      const element = await VirtualElement.powerOn(storage.restarted());
      const { data } = await send(element, initializeUpdate(0x30, CHALLENGE));
      const counter = counterOf(data);
      await element.reset();
      const isNew = await Host.open(element, NEW).then(
        () => true,
        () => false,
      );
      if (!isNew) {
        await element.reset();
        await Host.open(element);
      }
      if (answered?.sw === 0x9000) expect(isNew).toBe(true);
      outcomes.add(`${isNew ? 'new' : 'old'} ${counter}`);
    }
    // Old keys: the session before was counted or was not; new keys have opened none.
    expect([...outcomes].sort()).toEqual(['new 1', 'old 1', 'old 2']);
  });
});
