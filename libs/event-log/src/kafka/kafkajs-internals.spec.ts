import { createRequire } from 'node:module';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { KafkajsClient } from './kafkajs-client.js';

interface Request {
  request: { apiKey: number; apiName: string; apiVersion: number; encode(): Promise<unknown> };
  response: { decode(payload: Buffer): Promise<{ said: string }>; parse(decoded: { said: string }): Promise<string> };
}

const require = createRequire(import.meta.url);
const Encoder = require('kafkajs/src/protocol/encoder') as new () => unknown;
const Connection = require('kafkajs/src/network/connection') as new (
  options: object,
) => {
  connect(): Promise<true>;
  disconnect(): Promise<true>;
  send(request: Request): Promise<string>;
};

const API_VERSIONS = 18;
const question: Request = {
  request: { apiKey: API_VERSIONS, apiName: 'ApiVersions', apiVersion: 0, encode: async () => new Encoder() },
  response: { decode: async (payload) => ({ said: payload.toString() }), parse: async ({ said }) => said },
};
/** A request is its length, the key and version of the API, and its number, which the answer repeats. */
const NUMBER_AT = 8;
const answerTo = (request: Buffer, said: string) => {
  const head = Buffer.alloc(8);
  head.writeInt32BE(4 + said.length, 0);
  head.writeInt32BE(request.readInt32BE(NUMBER_AT), 4);
  return Buffer.concat([head, Buffer.from(said)]);
};
const quiet = { namespace: () => quiet, debug: () => undefined, warn: () => undefined, error: () => undefined };

describe('a connection of kafkajs', () => {
  const closing: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  const connectionTo = async (talks: ((socket: Socket, request: Buffer) => void)[]) => {
    const server = createServer((socket) => {
      const talk = talks.shift()!;
      socket.on('error', () => socket.destroy()).on('data', (request) => talk(socket, request));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push(() => server.close());
    new KafkajsClient({ brokers: ['127.0.0.1:1'] }); // which mends the library
    const { port } = server.address() as AddressInfo;
    const socketFactory = (require('kafkajs/src/network/socketFactory') as () => unknown)();
    const limits = { connectionTimeout: 5_000, requestTimeout: 5_000 };
    const made = new Connection({ host: '127.0.0.1', port, logger: quiet, socketFactory, ...limits });
    closing.push(() => made.disconnect());
    return made;
  };

  it.each([
    ['half of an answer', (request: Buffer) => answerTo(request, 'x'.repeat(100)).subarray(0, 40)],
    ['what is no answer', () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ])('that has brought %s and was lost, understands the next', async (_, said) => {
    const lost = (socket: Socket, request: Buffer) => void socket.write(said(request), () => socket.end());
    const connection = await connectionTo([lost, (socket, request) => void socket.write(answerTo(request, 'whole'))]);
    await connection.connect();
    await expect(connection.send(question)).rejects.toThrow();
    await connection.connect();
    expect(await connection.send(question)).toBe('whole');
  });
});
