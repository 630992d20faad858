import { spawn, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { startOf, watched } from './left-behind.js';
import { eventually, start, temporaryFolder } from './processes.js';

const cleanUp: (() => void)[] = [];
afterEach(() => {
  for (const step of cleanUp.splice(0)) step();
});

const isThere = (pid: number): boolean => spawnSync('kill', ['-0', String(pid)]).status === 0;

describe('what a test process leaves behind', () => {
  it('is ended and removed once it is gone, and nothing that only has the number of a process of its own', async () => {
    const ours = start('sleep', ['60']);
    const foreign = spawn('sleep', ['60']);
    cleanUp.push(
      () => void ours.stop(),
      () => void foreign.kill(),
    );
    const folder = temporaryFolder('of-the-test');
    const { notes, end } = watched();
    writeFileSync(path.join(notes, 'processes'), `${ours.pid} ${startOf(ours.pid)}\n${foreign.pid} 1\n`);
    writeFileSync(path.join(notes, 'folders'), `${folder.path}\n`);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect([ours.isRunning(), existsSync(folder.path)]).toEqual([true, true]);
    end();
    await ours.exited;
    await eventually('the folder is gone', async () => !existsSync(folder.path) || undefined);
    await eventually('the notes are gone', async () => !existsSync(notes) || undefined);
    expect(isThere(foreign.pid ?? 0)).toBe(true);
  });
});
