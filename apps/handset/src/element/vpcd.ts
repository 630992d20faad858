import { createServer, type Server, type Socket } from 'node:net';
import type { VirtualElement } from '#secure-element/index.js';

/*
 * The protocol of vsmartcard's vpcd: each message has two bytes of length, big-endian, before it. From the reader come one byte
 * (power off, power on, reset, ATR wanted; the last alone is answered) or a command APDU, which is answered by a response APDU.
 * vpcd in its reversed mode connects to the card: whoever is connected has the card inserted.
 */
const POWER_OFF = 0x00;
const POWER_ON = 0x01;
const RESET = 0x02;
const ATR = 0x04;
const LENGTH = 2;

type Card = Pick<VirtualElement, 'atr' | 'reset' | 'transmit'>;

/** Cuts a stream into messages. */
export class Frames {
  private kept: Uint8Array = new Uint8Array();

  /** @returns the messages that are whole by now */
  take(chunk: Uint8Array): Uint8Array[] {
    const messages: Uint8Array[] = [];
    let rest = Buffer.concat([this.kept, chunk]);
    while (rest.length >= LENGTH && rest.length >= LENGTH + rest.readUInt16BE(0)) {
      const end = LENGTH + rest.readUInt16BE(0);
      messages.push(Uint8Array.from(rest.subarray(LENGTH, end)));
      rest = rest.subarray(end);
    }
    this.kept = Uint8Array.from(rest);
    return messages;
  }
}

export function framed(message: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(LENGTH + message.length);
  bytes.writeUInt16BE(message.length, 0);
  bytes.set(message, LENGTH);
  return bytes;
}

/** @returns what goes back, if anything does */
async function answer(card: Card, message: Uint8Array): Promise<Uint8Array | undefined> {
  if (message.length !== 1) return message.length === 0 ? undefined : card.transmit(message);
  const [control] = message;
  if (control === ATR) return card.atr;
  if (control === POWER_OFF || control === POWER_ON || control === RESET) await card.reset();
  return undefined;
}

/** A card that is put into a reader has no session. */
async function serve(card: Card, socket: Socket): Promise<void> {
  const frames = new Frames();
  await card.reset();
  for await (const chunk of socket)
    for (const message of frames.take(chunk as Uint8Array)) {
      const reply = await answer(card, message);
      if (reply !== undefined && !socket.destroyed) socket.write(framed(reply));
    }
}

/**
 * Lets a reader connect to the card on the loopback interface. A card is in one reader: whoever connects next has taken it out of the
 * one before.
 * @param onFault is told when the card cannot go on: its memory has failed, and it was taken out
 */
export async function openVpcd(
  card: Card,
  port: number,
  onFault: (error: unknown) => void,
): Promise<{ port: number; close: () => void }> {
  let inserted: Socket | undefined;
  const server: Server = createServer((socket) => {
    inserted?.destroy();
    inserted = socket;
    serve(card, socket).catch((error: unknown) => {
      socket.destroy();
      if ((error as NodeJS.ErrnoException).syscall === undefined) onFault(error); // a reader that went away is none
    });
  });
  await new Promise<void>((done, failed) => {
    server.once('error', failed);
    server.listen(port, '127.0.0.1', done);
  });
  const address = server.address();
  const close = () => {
    inserted?.destroy();
    server.close();
  };
  return { port: typeof address === 'object' && address !== null ? address.port : 0, close };
}
