import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type HandsetError } from './errors.js';
import { fileStore } from './file-store.js';
import { readJson, writeJson } from './store.js';

const text = (bytes: Uint8Array | undefined) => (bytes === undefined ? undefined : Buffer.from(bytes).toString());
const isRecord = (value: unknown): value is { n: number } => typeof value === 'object' && value !== null;

describe('file store', () => {
  let root: string;
  beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'store-'))));
  afterEach(() => rmSync(root, { recursive: true }));

  it('keeps the generation before, and lists neither it nor temporary files', () => {
    const store = fileStore(root);
    store.write('tuf/root.json', Buffer.from('one'));
    store.write('tuf/root.json', Buffer.from('two'));
    expect([text(store.read('tuf/root.json')), text(store.readPrevious('tuf/root.json'))]).toEqual(['two', 'one']);
    expect(store.names('tuf')).toEqual(['root.json']);
  });

  it('lets nobody but the owner read a file', () => {
    const store = fileStore(join(root, 'data'));
    store.write('identity.json', Buffer.from('key'));
    expect(statSync(store.path('identity.json')).mode & 0o777).toBe(0o600);
    expect(statSync(join(root, 'data')).mode & 0o777).toBe(0o700);
  });

  it('falls back to the generation before when the current one does not parse', () => {
    const store = fileStore(root);
    writeJson(store, 'state.json', { n: 1 });
    writeJson(store, 'state.json', { n: 2 });
    writeFileSync(store.path('state.json'), '{"n":');
    expect(readJson(store, 'state.json', isRecord)).toEqual({ n: 1 });
  });

  it.each(['../out', 'a/../../b', '/etc/passwd', 'a//b', '', 'nul\0', '..'])('refuses the name %j', (name) => {
    expect(() => fileStore(root).write(name, Buffer.from('x'))).toThrow(
      expect.objectContaining({ code: 'store.name' } satisfies Partial<HandsetError>) as Error,
    );
  });

  const STEPS = ['open', 'write', 'fsync', 'unlink-previous', 'link-previous', 'rename', 'fsync-folder'];
  it.each(STEPS)('holds the old or the new content after kill -9 before: %s', async (step) => {
    const store = fileStore(root);
    writeJson(store, 'state.json', { n: 1 });
    expect(await killedAt(root, step)).toBe('SIGKILL');
    const found = readJson(fileStore(root), 'state.json', isRecord);
    expect(found).toEqual({ n: step === 'fsync-folder' ? 2 : 1 });
    writeJson(store, 'state.json', { n: 3 });
    expect(readJson(store, 'state.json', isRecord)).toEqual({ n: 3 });
  });
});

/** A child that writes the second generation and kills itself with no chance to clean up. */
function killedAt(root: string, step: string): Promise<NodeJS.Signals | null> {
  const child = spawn(process.execPath, [childScript, root, step], { stdio: 'ignore' });
  return new Promise((resolve) => child.on('exit', (_, signal) => resolve(signal)));
}

const childScript = new URL('../test/write-and-die.mjs', import.meta.url).pathname;
