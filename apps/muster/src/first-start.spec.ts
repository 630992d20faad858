import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FirstLogin, FirstStart } from './first-start.js';

describe('the first login', () => {
  let folder: string;
  let file: string;
  const made: FirstLogin[] = [];
  const administrators = {
    isSettled: () => Promise.resolve(made.length > 0),
    create: (login: FirstLogin) => Promise.resolve(made.length === 0 && made.push(login) > 0),
  };
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'muster-first-'));
    file = path.join(folder, 'first-login.json');
    made.length = 0;
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is shown at the next start when the first was killed before it was shown', async () => {
    const login = await new FirstStart(folder).settle(administrators);
    expect(await new FirstStart(folder).settle(administrators)).toEqual(login);
    expect(made).toEqual([login]);
  });

  it('is shown no more once it was', async () => {
    const start = new FirstStart(folder);
    await start.settle(administrators);
    start.shown();
    expect(await new FirstStart(folder).settle(administrators)).toBeUndefined();
  });

  it('is made anew when a start was killed while it wrote it down', async () => {
    writeFileSync(file, '{"tenant":"ma');
    const login = await new FirstStart(folder).settle(administrators);
    expect(made).toEqual([login]);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(login);
  });

  it('is not written down by a later start, which may be killed before it takes it back', async () => {
    const start = new FirstStart(folder);
    await start.settle(administrators);
    start.shown();
    const create = () => Promise.reject(new Error('killed'));
    await new FirstStart(folder).settle({ ...administrators, create }).catch(() => undefined);
    expect(existsSync(file)).toBe(false);
    expect(await new FirstStart(folder).settle(administrators)).toBeUndefined();
  });
});
