/**
 * Bytes that one read of a content asks for. A connection that stalls holds three chunks at most: one under encryption, one
 * behind it, one ahead. From 256 KiB on larger ones save no CPU (`test/bench/transfer.bench.ts`).
 */
export const CHUNK = { least: 65_536, most: 262_144 } as const;

/** A reader that takes a chunk within this is fast: at the least chunk, over 1 MB/s. */
const FAST_MS = 60;

/**
 * How much to read next. Large reads cost a fast reader half the CPU of small ones; what a slow one does not take stays in memory, so it gets
 * small ones: twice as much after a chunk that went quickly, half after one that did not.
 * @param drainedMs from the end of the read to when more was wanted
 */
export const nextChunk = (chunk: number, drainedMs: number): number =>
  drainedMs <= FAST_MS ? Math.min(chunk * 2, CHUNK.most) : Math.max(chunk / 2, CHUNK.least);
