import { describe, expect, it } from 'vitest';
import { isHeld, pollHeaders } from './poll-answer.js';

describe('a poll', () => {
  it.each([
    ['"a"', true],
    ['W/"a"', true],
    ['"b", "a"', true],
    ['*', true],
    ['"b"', false],
    ['a', false],
    ['', false],
    [undefined, false],
    [`${'"b", '.repeat(1_000)}"a"`, false],
  ])('that holds %j is told by the ETag whether it is held: %j', (header, held) => {
    expect(isHeld(header, '"a"')).toBe(held);
  });

  it('is told of an inbox only when it is of a device', () => {
    const about = { etag: '"a"', intervalSeconds: 60 };
    expect(pollHeaders(about)).not.toHaveProperty('muster-inbox');
    expect(pollHeaders({ ...about, inbox: '"i"' })).toEqual({ ...pollHeaders(about), 'muster-inbox': '"i"' });
  });
});
