import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandHooks, runHook } from './command-hooks.js';
import { type Candidate } from './ports.js';

const description = { name: 'a', version: '1', mediaType: 'x', sizeBytes: 1, attributes: {} };
const candidate: Candidate = { contentId: 'c1', campaignId: 'k1', priority: 1, description, sizeBytes: 1 };

describe('hooks as programs', () => {
  let root: string;
  beforeAll(() => (root = mkdtempSync(join(tmpdir(), 'hooks-'))));
  afterAll(() => rmSync(root, { recursive: true }));

  const script = (name: string, body: string): string => {
    const path = join(root, name);
    writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    return path;
  };
  const writeDescription = (value: unknown): string => {
    writeFileSync(join(root, 'description.json'), JSON.stringify(value));
    return join(root, 'description.json');
  };
  const hooks = (commands: Parameters<typeof commandHooks>[0]) =>
    commandHooks(commands, { timeoutMs: 5_000, writeDescription });

  it('reads attributes and choices from what the programs print', async () => {
    const { collect, choose } = hooks({
      collect: script('collect', `echo '{"model":"a"}'`),
      choose: script('choose', `grep -q c1 && echo '["c1"]'`),
    });
    expect(await collect!()).toEqual({ model: 'a' });
    expect(await choose!([candidate])).toEqual(['c1']);
  });

  it('takes exit code 0 for consent and any other for a no', async () => {
    expect(await hooks({ mayStart: '/bin/true' }).mayStart!(candidate)).toBe(true);
    expect(await hooks({ mayStart: '/bin/false' }).mayStart!(candidate)).toBe(false);
    await expect(hooks({ mayStart: join(root, 'nowhere') }).mayStart!(candidate)).rejects.toMatchObject({
      code: 'hook.failed',
    });
  });

  it('gives install the file and its description, and process the application', async () => {
    const { install, process: processing } = hooks({
      install: script('install', `echo "$1" > ${root}/args; cat "$2" >> ${root}/args`),
      process: script('process', `echo "$1 $2" > ${root}/processed`),
    });
    await install!('/some/file', description);
    await processing!('a000000151', '/some/file', description);
    expect(readFileSync(join(root, 'args'), 'utf8')).toContain('/some/file\n{"name":"a"');
    expect(readFileSync(join(root, 'processed'), 'utf8')).toBe('a000000151 /some/file\n');
  });

  it('ends a program at its time-out, and what it started as well: hook.timeout', async () => {
    const slow = script('slow', `(sleep 2; echo alive > ${root}/alive) & sleep 30`);
    const before = Date.now();
    await expect(runHook(slow, [], { input: '', timeoutMs: 200 })).rejects.toMatchObject({ code: 'hook.timeout' });
    expect(Date.now() - before).toBeLessThan(1_500);
    await new Promise((resolve) => setTimeout(resolve, 2_300));
    expect(() => readFileSync(join(root, 'alive'))).toThrow('ENOENT');
  });

  it.each([
    ['echo not json', 'hook.output'],
    ['yes', 'hook.output'],
    ['exit 3', 'hook.failed'],
    ['kill -9 $$', 'hook.failed'],
  ])('refuses `%s` as attributes with %s', async (body, code) => {
    await expect(hooks({ collect: script('bad', body) }).collect!()).rejects.toMatchObject({ code });
  });
});
