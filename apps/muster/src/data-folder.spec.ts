import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DataFolderError, takeDataFolder } from './data-folder.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), 'muster-data-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('data folder', () => {
  it('belongs to one process at a time', () => {
    const giveBack = takeDataFolder(folder);
    expect(() => takeDataFolder(folder)).toThrow(DataFolderError);
    giveBack();
    takeDataFolder(folder)();
  });

  it('is taken over from a process that was killed', async () => {
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    writeFileSync(path.join(folder, 'muster.pid'), JSON.stringify({ pid: child.pid, began: '12345' }));
    takeDataFolder(folder)();
  });

  it('is taken over when the pid belongs to another process by now', () => {
    writeFileSync(path.join(folder, 'muster.pid'), JSON.stringify({ pid: process.pid, began: 'long ago' }));
    takeDataFolder(folder)();
  });

  it('is taken over from a pid file that was never finished', () => {
    writeFileSync(path.join(folder, 'muster.pid'), '{"pi');
    takeDataFolder(folder)();
  });

  it('is closed to other accounts', () => {
    takeDataFolder(folder)();
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });
});
