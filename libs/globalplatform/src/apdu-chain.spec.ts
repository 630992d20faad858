import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CommandApdu, decodeApdu, encodeResponse, type ResponseApdu } from './apdu.js';
import { chainCommand, joinChain, type OpenChain, splitResponse, type Transmission, transmit } from './apdu-chain.js';
import { fromHex, toHex } from './bytes.js';
import { codeOf } from './testing.js';

const STORE: CommandApdu = { cla: 0x80, ins: 0xe2, p1: 0x90, p2: 0 };

function joined(parts: readonly CommandApdu[]): CommandApdu | undefined {
  let open: OpenChain | undefined;
  for (const [i, part] of parts.entries()) {
    const step = joinChain(open, part);
    if (step.command !== undefined) return i === parts.length - 1 ? step.command : undefined;
    ({ open } = step);
  }
  return undefined;
}

/** A card that answers `whole` to anything, `atOnce` bytes at a time. */
function play(command: CommandApdu, whole: ResponseApdu, atOnce: number, how: Transmission = {}) {
  const sent: string[] = [];
  let rest: ResponseApdu | undefined;
  let open: OpenChain | undefined;
  const answer = (bytes: Uint8Array): Uint8Array => {
    sent.push(toHex(bytes));
    const part = decodeApdu(bytes);
    if (part.ins === 0xc0 && rest !== undefined) {
      const split = splitResponse(rest, Math.min(part.le ?? 0, atOnce));
      ({ rest } = split);
      return encodeResponse(split.now);
    }
    const step = joinChain(open, part);
    ({ open } = step);
    if (step.command === undefined) return fromHex('9000');
    const split = splitResponse(whole, Math.min(step.command.le ?? 256, atOnce));
    ({ rest } = split);
    return encodeResponse(split.now);
  };
  const exchange = transmit(command, how);
  let step = exchange.next();
  while (step.done !== true) step = exchange.next(answer(step.value));
  return { response: step.value, sent };
}

describe('a command in parts', () => {
  it('is whole again at the card, however it was cut', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 1_200 }),
        fc.integer({ min: 1, max: 255 }),
        fc.option(fc.integer({ min: 1, max: 256 }), { nil: undefined }),
        (data, partBytes, le) => {
          const parts = chainCommand({ ...STORE, data, le }, partBytes);
          expect(parts.every((part) => (part.data?.length ?? 0) <= partBytes)).toBe(true);
          expect(joined(parts)).toEqual(le === undefined ? { ...STORE, data } : { ...STORE, data, le });
        },
      ),
    );
  });

  it('says in each part but the last that more follows, and asks for data in the last', () => {
    const parts = chainCommand({ ...STORE, data: new Uint8Array(600), le: 256 });
    expect(parts.map(({ cla, data, le }) => [cla, data?.length, le])).toEqual([
      [0x90, 255, undefined],
      [0x90, 255, undefined],
      [0x80, 90, 256],
    ]);
  });

  it('is refused if another command comes between, or if it has no end', () => {
    const { open } = joinChain(undefined, { ...STORE, cla: 0x90, data: new Uint8Array(10) });
    expect(codeOf(() => joinChain(open, { ...STORE, ins: 0xf2 }))).toBe('apdu.chain');
    const huge = { ...STORE, data: new Uint8Array(65_500) };
    expect(codeOf(() => joinChain(huge, { ...STORE, cla: 0x90, data: new Uint8Array(255) }))).toBe('apdu.chain');
    expect(codeOf(() => chainCommand(STORE, 0))).toBe('apdu.chain');
  });

  it('is sent in parts only where that is asked for', () => {
    const long = { ...STORE, data: new Uint8Array(300) };
    const { sent } = play(long, { data: fromHex('aa'), sw: 0x9000 }, 256, { isChaining: true });
    expect(sent.map((hex) => hex.slice(0, 10))).toEqual(['90e29000ff', '80e290002d']);
    expect(codeOf(() => transmit(long).next())).toBe('apdu.data-too-long');
  });
});

describe('an answer in parts', () => {
  it('is whole again at the host, however the card cuts it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), fc.integer({ min: 1, max: 256 }), (data, atOnce) => {
        const { response } = play({ ...STORE, le: 256 }, { data, sw: 0x6310 }, atOnce);
        expect({ ...response, data: Uint8Array.from(response.data) }).toEqual({ data, sw: 0x6310 });
      }),
    );
  });

  it('is asked for with GET RESPONSE, and with as many bytes as the card has said', () =>
    expect(play({ ...STORE, le: 256 }, { data: new Uint8Array(300), sw: 0x9000 }, 256).sent).toEqual([
      '80e2900000',
      '00c000002c',
    ]));

  it('is asked for again with the Le that the card names after 6Cxx', () => {
    const exchange = transmit({ ...STORE, le: 256 });
    expect(toHex(exchange.next().value as Uint8Array)).toBe('80e2900000');
    expect(toHex(exchange.next(fromHex('6c05')).value as Uint8Array)).toBe('80e2900005');
    expect(exchange.next(fromHex('01020304059000'))).toMatchObject({ done: true, value: { sw: 0x9000 } });
  });

  it('is refused if it never ends', () => {
    const endless = (answer: Uint8Array) => {
      const exchange = transmit({ ...STORE, le: 256 });
      exchange.next();
      for (let i = 0; i < 10_000; i += 1) exchange.next(answer);
    };
    expect(codeOf(() => endless(fromHex('6110')))).toBe('apdu.response-chain');
    expect(codeOf(() => endless(fromHex(`${'aa'.repeat(256)}6100`)))).toBe('apdu.response-chain');
  });

  it('ends at once where a part of the command is refused', () => {
    const exchange = transmit({ ...STORE, data: new Uint8Array(300) }, { isChaining: true });
    exchange.next();
    expect(exchange.next(fromHex('6884'))).toMatchObject({ done: true, value: { sw: 0x6884 } });
  });
});
