import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fileStorage } from './file-storage.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'muster-element-'))));
afterEach(() => rmSync(folder, { recursive: true }));

describe('the files of an element', () => {
  it('keep what was appended, each for itself, and end where they are cut', async () => {
    const storage = fileStorage(join(folder, 'element'));
    expect(await storage.read(0)).toEqual(new Uint8Array());
    await storage.append(0, Uint8Array.of(1, 2));
    await storage.append(0, Uint8Array.of(3));
    await storage.append(1, Uint8Array.of(9));
    await storage.truncate(0, 2);
    expect([...(await storage.read(0))]).toEqual([1, 2]);
    expect([...(await fileStorage(join(folder, 'element')).read(1))]).toEqual([9]);
    await storage.truncate(1, 0);
    expect([...(await storage.read(1))]).toEqual([]);
  });

  it('are their owner’s alone', async () => {
    const storage = fileStorage(join(folder, 'element'));
    await storage.append(0, Uint8Array.of(1));
    expect(
      [statSync(join(folder, 'element')), statSync(join(folder, 'element', 'area-0'))].map(({ mode }) => mode & 0o777),
    ).toEqual([0o700, 0o600]);
  });
});
