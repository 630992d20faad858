import { describe, expect, it } from 'vitest';
import { CHUNK, nextChunk } from './pace.js';

describe('reads of a content', () => {
  const after = (drainedMs: readonly number[]) => drainedMs.reduce((chunk, ms) => nextChunk(chunk, ms), CHUNK.least);

  it('grow to the most for a reader that takes all at once, and no further', () => {
    expect(after([0, 1])).toBe(CHUNK.most);
    expect(after(Array.from({ length: 100 }, () => 0))).toBe(CHUNK.most);
  });

  it('stay at the least for a slow one, and shrink again for one that becomes slow', () => {
    expect(after([1_000, 2_000])).toBe(CHUNK.least);
    expect(after([0, 0, 0, 0, 0, 500, 500, 500, 500])).toBe(CHUNK.least);
  });
});
