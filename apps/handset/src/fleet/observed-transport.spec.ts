import { expect, it } from 'vitest';
import { type HttpAnswer } from '#handset/index.js';
import { Meter } from './meter.js';
import { observed, type Observer } from './observed-transport.js';

const NOW = Date.parse('2026-11-24T10:00:00Z');

const answering = (status: number, headers: Record<string, string>): HttpAnswer => ({
  status,
  headers,
  body: (async function* (): AsyncGenerator<Uint8Array> {})(),
  discard: () => undefined,
});

it.each([
  ['seconds', { 'retry-after': '60' }, 60_000],
  ['a date', { 'retry-after': 'Tue, 24 Nov 2026 10:02:00 GMT' }, 120_000],
  ['nothing that is a time', { 'retry-after': 'soon' }, 0],
  ['no hour', {}, 0],
])('leaves a server alone that says 503 and %s', async (_, headers, ms) => {
  const rests: number[] = [];
  const observer: Observer = {
    meter: new Meter(),
    now: () => NOW,
    begin: () => undefined,
    end: () => undefined,
    restUntil: (at) => rests.push(at),
    isGone: () => false,
    isCutOff: () => false,
  };
  const transport = observed({ send: async () => answering(503, headers), close: () => undefined }, observer);
  const answer = await transport.send({ method: 'GET', url: '/tuf/main/main/timestamp.json', maxBytes: 1_000 });
  answer.discard();
  expect(rests).toEqual([NOW + ms]);
  transport.close();
});
