import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchPolls } from './poll-batches.js';
import { BATCH_LIMITS, packPolls, type Poll, unpackPolls } from './polls.js';

const START = Date.parse('2026-11-24T09:00:00.000Z');
const poll = (): fc.Arbitrary<Poll> =>
  fc.record({
    deviceNo: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    at: fc.integer({ min: START, max: START + 86_400_000 }),
    rule: fc.constantFrom('boot;v=1', 'timer;v=1', 'network;v=2', 'unknown;v=0'),
    answer: fc.constantFrom('not-modified', 'sent'),
    digest: fc.stringMatching(/^[0-9a-f]{12}$/),
  });

describe('polls', () => {
  it('come out of their batches as they went in', () => {
    fc.assert(
      fc.property(fc.array(poll(), { maxLength: 50 }), (polls) => {
        const events = batchPolls(3, 'main', polls);
        expect(events.flatMap(({ data }) => unpackPolls(data))).toEqual(polls);
      }),
    );
  });

  it('take at most 24 bytes each', () => {
    const polls = Array.from({ length: 1_000 }, (_, i) => ({
      deviceNo: i,
      at: START + i,
      rule: 'timer;v=1',
      answer: 'sent' as const,
      digest: 'a1b2c3d4e5f6',
    }));
    expect(packPolls(START, polls).columns.length).toBeLessThanOrEqual(24 * polls.length);
  });

  it('with more names of rules than a byte can number start a new batch', () => {
    const polls = Array.from({ length: 300 }, (_, i) => ({
      deviceNo: 1,
      at: START,
      rule: `r${i};v=1`,
      answer: 'sent' as const,
      digest: '000000000000',
    }));
    const [first, second] = batchPolls(0, 'main', polls);
    expect([first?.data.rules.length, second?.data.rules.length]).toEqual([BATCH_LIMITS.rules, 44]);
  });
});
