import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { publishedVectors } from './vectors.js';

it('reads a file of published vectors from the folder that is named', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'muster-vectors-'));
  writeFileSync(path.join(folder, 'kcv.json'), '{"kcv":"504a77"}');
  expect(publishedVectors('kcv', { MUSTER_VECTORS: folder })).toEqual({ kcv: '504a77' });
  rmSync(folder, { recursive: true });
});

it('skips where none is named, and fails where nothing may be skipped', () => {
  expect(publishedVectors('kcv', {})).toBeUndefined();
  expect(() => publishedVectors('kcv', { MUSTER_TEST_ALL: '1' })).toThrow('MUSTER_VECTORS is not set');
});
