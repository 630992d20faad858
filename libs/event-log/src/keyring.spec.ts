import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadKek } from './keyring.js';

describe('key-encryption key', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'muster-kek-'));
    file = path.join(folder, 'keys', 'kek');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is made once, for its owner alone', () => {
    const made = loadKek(file);
    expect(made).toHaveLength(32);
    expect(loadKek(file)).toEqual(made);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('is refused with keyring.kek-readable-by-others', () => {
    loadKek(file);
    chmodSync(file, 0o640);
    expect(() => loadKek(file)).toThrow(expect.objectContaining({ code: 'keyring.kek-readable-by-others' }) as Error);
  });

  it('is refused with keyring.kek-malformed when cut off, and not made anew', () => {
    loadKek(file);
    writeFileSync(file, 'dG9vIHNob3J0');
    expect(() => loadKek(file)).toThrow(expect.objectContaining({ code: 'keyring.kek-malformed' }) as Error);
  });
});
