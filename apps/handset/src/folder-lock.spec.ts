import { mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Control, takeFolder } from './control.js';

describe('the lock of a folder', () => {
  let root: string;
  let path: string;
  const held: Control[] = [];
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'lock-'));
    path = join(root, 'agent.sock');
  });
  afterEach(() => {
    for (const control of held.splice(0)) control.release();
    rmSync(root, { recursive: true });
  });

  /** A socket that nobody listens at, as a killed agent leaves it. */
  async function leaveBehind(name: string): Promise<void> {
    const server = createServer();
    await new Promise<void>((done) => server.listen(name, done));
    renameSync(name, `${name}-kept`);
    await new Promise((done) => server.close(done));
    renameSync(`${name}-kept`, name);
  }

  const race = async (contenders: number) => {
    const settled = await Promise.allSettled(Array.from({ length: contenders }, () => takeFolder(path)));
    const winners = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    held.push(...winners);
    const losers = settled.flatMap((each) =>
      each.status === 'rejected' ? [(each.reason as { code: string }).code] : [],
    );
    return { winners: winners.length, losers };
  };

  it.each([1, 2, 3, 4, 5])(
    'is had by one of those who start at the same instant on what a killed agent left (%i)',
    async () => {
      await leaveBehind(path);
      await leaveBehind(`${path}.0123abcd`);
      expect(await race(4)).toEqual({ winners: 1, losers: Array(3).fill('store.locked') });
    },
  );

  it('is free again when it was released, and leaves nothing behind', async () => {
    (await takeFolder(path)).release();
    expect(readdirSync(root)).toEqual([]);
    expect(await race(1)).toEqual({ winners: 1, losers: [] });
    expect(await race(1)).toEqual({ winners: 0, losers: ['store.locked'] });
  });
});
