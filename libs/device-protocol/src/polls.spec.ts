import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { POLL_ANSWERS, packPolls, unpackPolls } from './polls.js';

const poll = () =>
  fc.record({
    deviceNo: fc.integer({ min: 0, max: 0xffff_ffff }),
    deltaMs: fc.integer({ min: 0, max: 0xff_ffff }),
    rule: fc.integer({ min: 0, max: 255 }),
    answer: fc.constantFrom(...POLL_ANSWERS),
    digest: fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => Buffer.from(bytes).toString('hex')),
  });

describe('packed polls', () => {
  it('read back as they were written', () =>
    fc.assert(
      fc.property(fc.array(poll()), (polls) => {
        expect(unpackPolls(packPolls(polls))).toEqual(polls);
      }),
    ));

  it('take at most 24 characters a poll', () =>
    fc.assert(
      fc.property(poll(), (one) => {
        expect(packPolls([one]).length).toBeLessThanOrEqual(24);
      }),
    ));

  it('keep this layout for ever: number, delta, rule, answer, digest', () => {
    const one = { deviceNo: 7, deltaMs: 513, rule: 2, answer: 'sent', digest: '0a0b0c0d0e0f' } as const;
    expect(Buffer.from(packPolls([one]), 'base64').toString('hex')).toBe('0000000700020102010a0b0c0d0e0f');
  });

  it('leave out half a poll', () => expect(unpackPolls(Buffer.alloc(20).toString('base64'))).toHaveLength(1));
});
