import { connect } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { framed, Frames, openVpcd } from './vpcd.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('the framing of vpcd', () => {
  it('gives back what went in, however the stream is cut', () =>
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 300 })),
        fc.array(fc.integer({ min: 1, max: 50 })),
        (all, cuts) => {
          const stream = Buffer.concat(all.map(framed));
          const frames = new Frames();
          const got: Uint8Array[] = [];
          for (let at = 0, i = 0; at < stream.length; i += 1) {
            const end = Math.min(stream.length, at + (cuts[i % Math.max(1, cuts.length)] ?? 7));
            got.push(...frames.take(stream.subarray(at, end)));
            at = end;
          }
          expect(got.map(hex)).toEqual(all.map(hex));
        },
      ),
    ));
});

/** A reader that sends messages and waits for so many answers. */
function reader(port: number, messages: readonly string[], answers: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const got: string[] = [];
    const frames = new Frames();
    const socket = connect(port, '127.0.0.1', () => {
      for (const message of messages) socket.write(framed(Buffer.from(message, 'hex')));
    });
    socket.on('data', (chunk) => {
      got.push(...frames.take(chunk).map(hex));
      if (got.length >= answers) socket.destroy();
    });
    socket.on('close', () => resolve(got));
    socket.on('error', reject);
  });
}

describe('a card in a reader', () => {
  const resets: string[] = [];
  const card = {
    atr: Uint8Array.of(0x3b, 0x80),
    reset: () => Promise.resolve(void resets.push('reset')),
    transmit: (bytes: Uint8Array) => Promise.resolve(Uint8Array.from([...bytes, 0x90, 0x00])),
  };

  it('answers ATR and commands in their order, and nothing to power and reset', async () => {
    const open = await openVpcd(card, 0, () => undefined);
    expect(await reader(open.port, ['01', '04', '02', '00a40400', '04'], 3)).toEqual(['3b80', '00a404009000', '3b80']);
    expect(resets.length).toBe(3); // inserted, powered on, reset
    open.close();
  });

  it('is in one reader at a time: whoever connects next has taken it', async () => {
    const open = await openVpcd(card, 0, () => undefined);
    const first = connect(open.port, '127.0.0.1');
    const isOut = new Promise((done) => first.once('close', done));
    first.on('error', () => undefined);
    await new Promise((done) => first.once('connect', done));
    expect(await reader(open.port, ['04'], 1)).toEqual(['3b80']);
    await isOut;
    open.close();
  });

  it('is taken out when it fails', async () => {
    const faults: unknown[] = [];
    const broken = { ...card, transmit: () => Promise.reject(new Error('memory')) };
    const open = await openVpcd(broken, 0, (error) => faults.push(error));
    expect(await reader(open.port, ['00a40400'], 1)).toEqual([]);
    expect(faults).toEqual([new Error('memory')]);
    open.close();
  });
});
