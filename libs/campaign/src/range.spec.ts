import { describe, expect, it } from 'vitest';
import { rangeOf } from './range.js';

const file = { size: 100, etag: '"abc"' };

describe('a range request', () => {
  it.each([
    ['bytes=0-9', { first: 0, last: 9 }],
    ['bytes=90-', { first: 90, last: 99 }],
    ['bytes=90-1000', { first: 90, last: 99 }],
    ['bytes=-10', { first: 90, last: 99 }],
    ['bytes=-1000', { first: 0, last: 99 }],
  ])('%s is served', (range, expected) => expect(rangeOf({ range }, file)).toEqual(expected));

  it.each(['bytes=100-', 'bytes=100-200', 'bytes=-0'])('%s is unsatisfiable', (range) =>
    expect(rangeOf({ range }, file)).toBe('unsatisfiable'),
  );

  it.each([undefined, 'bytes=9-0', 'bytes=0-1,3-4', 'chars=0-1', 'bytes=a-b', 'bytes=', 'bytes=-', 'bytes=1e3-'])(
    '%s gets the whole',
    (range) => expect(rangeOf({ range }, file)).toBeUndefined(),
  );

  it('is served while If-Range names the file that is here', () =>
    expect(rangeOf({ range: 'bytes=5-', ifRange: '"abc"' }, file)).toEqual({ first: 5, last: 99 }));

  it.each(['"other"', 'W/"abc"', 'Tue, 24 Nov 2026 09:00:00 GMT'])('with If-Range %s gets the whole', (ifRange) =>
    expect(rangeOf({ range: 'bytes=5-', ifRange }, file)).toBeUndefined(),
  );
});
