import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { signatureOf } from './message-signature.js';
import { takeTokens, wakeBody } from './wake.js';

const NOW = Date.parse('2026-11-30T09:00:00.000Z');

describe('a wake', () => {
  it('says poll now, to whom, and nothing else', () =>
    expect(JSON.parse(wakeBody('d-1'))).toEqual({ message: 'poll now', deviceId: 'd-1' }));

  it('is signed with its time', () => {
    const t = NOW / 1000;
    const v1 = createHmac('sha256', 'secret').update(`${t}.body`).digest('hex');
    expect(signatureOf('secret', 'body', NOW)).toBe(`t=${t},v1=${v1}`);
  });
});

describe('the rate of wakes', () => {
  const full = { credit: 60, at: NOW };
  it('lets a minute’s worth go at once, and no more', () => {
    expect(takeTokens(full, 60, 100, NOW)).toEqual({ credit: 0, at: NOW, taken: 60 });
    expect(takeTokens({ credit: 0, at: NOW }, 60, 1, NOW)).toMatchObject({ taken: 0 });
  });
  it('fills up again with time, to a minute’s worth', () => {
    expect(takeTokens({ credit: 0, at: NOW }, 60, 100, NOW + 10_000)).toMatchObject({ taken: 10 });
    expect(takeTokens({ credit: 0, at: NOW }, 60, 100, NOW + 3_600_000)).toMatchObject({ taken: 60 });
  });
  it('gives nothing for a clock that was set back', () =>
    expect(takeTokens({ credit: 0, at: NOW }, 60, 1, NOW - 60_000)).toEqual({ credit: 0, at: NOW, taken: 0 }));
});
