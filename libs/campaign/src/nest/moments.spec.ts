import { afterEach, describe, expect, it, vi } from 'vitest';
import { Moments } from './moments.js';

const DEVICE = '01890a5d-ac96-774b-8000-000000000001';
const moments = (heads: () => Promise<object>): Moments => {
  const board = { tenant: async () => ({ schema: { version: 1, attributes: {} } }), position: {} };
  const enrolled = { type: 'HandsetEnrolled', data: { channel: 'main' } };
  const at = { topic: 'muster.handset', partition: 0, offset: 0, receivedAt: '2026-12-01T00:00:00.000Z' };
  const committed = { heads, readStream: async () => [{ ...at, ...enrolled }] };
  const tail = { heads, readTolerantly: async () => [] };
  return new Moments(committed as never, tail as never, board as never, { now: () => 0 });
};

describe('questions why', () => {
  afterEach(() => void vi.restoreAllMocks());

  it('are answered two at a time with eight in line, and the next is told to come again', async () => {
    const never = moments(() => new Promise(() => undefined));
    for (let i = 0; i < 10; i++) void never.at('a', DEVICE, undefined);
    await expect(never.at('a', DEVICE, undefined)).rejects.toMatchObject({
      code: 'explain.busy',
      details: { retryAfterSeconds: 5 },
    });
  });

  it('are given up when a partition takes too long to read', async () => {
    const long = moments(async () => ({ 'muster.handset/0': 1 }));
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => (now += 15_000));
    await expect(long.at('a', DEVICE, undefined)).resolves.toMatchObject({ isPast: false });
    vi.spyOn(performance, 'now').mockImplementation(() => (now += 25_000));
    await expect(long.at('a', DEVICE, undefined)).rejects.toMatchObject({ code: 'explain.unavailable' });
  });
});
