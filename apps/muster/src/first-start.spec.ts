import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FirstLogin, FirstStart } from './first-start.js';

describe('the first login', () => {
  let folder: string;
  let file: string;
  const made: FirstLogin[] = [];
  const create = (login: FirstLogin) => Promise.resolve(made.length === 0 && made.push(login) > 0);
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'muster-first-'));
    file = path.join(folder, 'first-login.json');
    made.length = 0;
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is shown at the next start when the first was killed before it was shown', async () => {
    const login = await new FirstStart(folder).settle(create);
    expect(await new FirstStart(folder).settle(create)).toEqual(login);
    expect(made).toEqual([login]);
  });

  it('is shown no more once it was', async () => {
    const start = new FirstStart(folder);
    await start.settle(create);
    start.shown();
    expect(await new FirstStart(folder).settle(create)).toBeUndefined();
  });

  it('is made anew when a start was killed while it wrote it down', async () => {
    writeFileSync(file, '{"tenant":"ma');
    const login = await new FirstStart(folder).settle(create);
    expect(made).toEqual([login]);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(login);
  });
});
