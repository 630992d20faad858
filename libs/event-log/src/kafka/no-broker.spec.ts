import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { nonsenseServer } from '../../../../test/support/proxies.js';
import { DEADLINE_MS } from './kafka-client.js';
import { KafkajsClient } from './kafkajs-client.js';

/** A size, and the correlation id of the first request (0): a response that goes on as it likes. */
const answer = (size: number, body: Buffer) => {
  const head = Buffer.alloc(8);
  head.writeInt32BE(size, 0);
  return Buffer.concat([head, body]);
};

const TALK: [string, (socket: Socket) => void][] = [
  ['says nothing', () => undefined],
  ['says random bytes', (socket) => void socket.write(randomBytes(400))],
  ['speaks HTTP', (socket) => void socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ['promises two gigabytes', (socket) => void socket.write(answer(2 ** 31 - 1, randomBytes(100)))],
  [
    'says a frame too short for its own number',
    (socket) => void socket.write(Buffer.from([0, 0, 0, 1, 7, 0, 0, 0, 1, 7])),
  ],
  ['answers a request with bytes that are none', (socket) => void socket.write(answer(104, randomBytes(100)))],
  ['closes at once', (socket) => void socket.end()],
];

describe.concurrent('what is no broker and', () => {
  it.each(TALK)('%s: every call ends in time with log.unavailable, naming where', async (_, talk) => {
    const server = await nonsenseServer(talk);
    const brokers = [`127.0.0.1:${server.port}`];
    const client = new KafkajsClient({ brokers });
    const records = [{ key: 'acme/x', value: '{}', headers: {} }];
    const calls = [
      client.ends(['muster.device']),
      client.fetch('muster.device', 0, 0, 1_000),
      client.send([{ topic: 'muster.device', partition: 0, records }]),
      client.describe(['muster.device']),
    ];
    const startedAt = Date.now();
    const outcomes = await Promise.allSettled(calls);
    expect(Date.now() - startedAt).toBeLessThan(DEADLINE_MS + 15_000);
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { code: 'log.unavailable', details: { brokers: brokers[0] } },
      });
    await client.close();
    await server.close();
  });
});
