import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHUNK } from '../pace.js';
import { PacedFile } from './paced-file.js';

describe('a file that is read at the pace of its reader', () => {
  const bytes = randomBytes(5_000_001);
  let folder: string;
  let file: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'muster-paced-'));
    file = path.join(folder, 'content');
    writeFileSync(file, bytes);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each([undefined, { first: 0, last: 0 }, { first: 65_536, last: 131_072 }, { first: 17, last: 5_000_000 }])(
    'is whole: %j',
    async (range) => {
      const { first = 0, last = bytes.length - 1 } = range ?? {};
      expect((await buffer(new PacedFile(file, range))).equals(bytes.subarray(first, last + 1))).toBe(true);
    },
  );

  it('comes in small parts to a slow reader, and one part ahead at most', async () => {
    const source = new PacedFile(file, undefined);
    const sizes: number[] = [];
    const slow = new Writable({
      highWaterMark: 1,
      write(part: Buffer, _, done) {
        sizes.push(part.length);
        expect(source.readableLength).toBeLessThanOrEqual(CHUNK.least);
        setTimeout(sizes.length === 8 ? () => done(new Error('enough')) : done, 150);
      },
    });
    await expect(pipeline(source, slow)).rejects.toThrow('enough');
    expect(Math.max(...sizes)).toBe(CHUNK.least);
  });

  it('fails as the file does, and may be given up at any moment', async () => {
    await expect(buffer(new PacedFile(path.join(folder, 'none'), undefined))).rejects.toThrow('ENOENT');
    for (const pauseMs of [0, 1, 5]) {
      const source = new PacedFile(file, undefined);
      const closed = new Promise((resolve) => source.once('close', resolve));
      source.on('error', () => undefined).resume();
      await sleep(pauseMs);
      source.destroy(new Error('given up'));
      await closed;
    }
  });
});
