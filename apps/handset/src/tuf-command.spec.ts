import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RepositorySimulator } from '#tuf/testing.js';
import { tufDownload, tufInit, type TufOptions, tufRefresh } from './tuf-command.js';

const CLI = new URL('cli.ts', import.meta.url).pathname;
const RUN_SOURCE = new URL('../test/run-source.mjs', import.meta.url).pathname;

describe('muster-handset tuf', () => {
  let root: string;
  let server: Server;
  let repository: RepositorySimulator;
  let options: TufOptions;
  let asked: string[];

  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'tuf-'));
    repository = new RepositorySimulator(Date.now());
    asked = [];
    server = createServer((request, response) => {
      const name = decodeURIComponent((request.url ?? '').slice(1));
      asked.push(name);
      const bytes = repository.files.get(name) ?? repository.files.get(request.url!.slice(1));
      if (bytes === undefined) response.writeHead(404).end();
      else response.end(bytes);
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const targets = { targetBaseUrl: `${url}/targets`, targetDir: join(root, 'out') };
    options = { metadataDir: join(root, 'metadata'), metadataUrl: url, ...targets };
    writeFileSync(join(root, 'root.json'), repository.file('1.root.json'));
    tufInit(options, join(root, 'root.json'));
  });
  afterEach(() => {
    server.close();
    server.closeAllConnections();
    rmSync(root, { recursive: true });
  });

  const kept = (name: string) => readFileSync(join(options.metadataDir, name));
  const files = () => readdirSync(options.metadataDir).filter((name) => name.endsWith('.json'));
  const download = (...targetName: string[]) => tufDownload({ ...options, targetName });
  const run = (...args: string[]): Promise<number | null> => {
    const child = spawn(process.execPath, [RUN_SOURCE, CLI, 'tuf', ...args], { stdio: 'ignore' });
    return new Promise((done) => child.on('exit', done));
  };

  it('copies the trusted root without asking anybody', () => {
    expect(files()).toEqual(['root.json']);
    expect(asked).toEqual([]);
    expect(() => tufInit(options, CLI)).toThrow(expect.objectContaining({ code: 'tuf.malformed' }) as Error);
  });

  it('keeps metadata under unversioned names, byte for byte', async () => {
    await tufRefresh(options);
    expect(files()).toEqual(['root.json', 'snapshot.json', 'targets.json', 'timestamp.json']);
    expect(kept('snapshot.json').equals(repository.file('1.snapshot.json'))).toBe(true);
    expect(kept('timestamp.json').equals(repository.file('timestamp.json'))).toBe(true);
  });

  it('downloads targets in order and does not fetch again what it has', async () => {
    repository.addTarget('a/b?c', Buffer.from('first'));
    repository.addTarget('second', Buffer.from('second'));
    repository.publishTargets();
    await download('a/b?c', 'second');
    expect(readdirSync(options.targetDir!).map((name) => readFileSync(join(options.targetDir!, name), 'utf8'))).toEqual(
      ['first', 'second'],
    );
    asked = [];
    await download('second');
    expect(asked.filter((name) => name.startsWith('targets/'))).toEqual([]);
  });

  it('stops at the first name that fails', async () => {
    repository.addTarget('second', Buffer.from('second'));
    repository.publishTargets();
    await expect(download('nowhere', 'second')).rejects.toMatchObject({ code: 'tuf.unknown-target' });
    expect(existsSync(options.targetDir!)).toBe(false);
  });

  it('refuses a target with other bytes, or with more, and writes nothing', async () => {
    repository.addTarget('one', Buffer.from('honest'));
    repository.publishTargets();
    const path = [...repository.files.keys()].find((name) => name.startsWith('targets/'))!;
    repository.files.set(path, Buffer.from('hones!'));
    await expect(download('one')).rejects.toMatchObject({ code: 'tuf.hash-mismatch' });
    repository.files.set(path, Buffer.from('honest and more'));
    await expect(download('one')).rejects.toMatchObject({ code: 'transport.too-large' });
    expect(existsSync(options.targetDir!)).toBe(false);
  });

  it('keeps one role name of two delegators apart', async () => {
    repository.delegate('targets', [
      { name: 'a', paths: ['a/*'] },
      { name: 'b', paths: ['b/*'] },
    ]);
    repository.delegate('a', [{ name: 'release', paths: ['a/*'] }]);
    repository.targetsOf('b').delegations = repository.targetsOf('a').delegations;
    repository.addTarget('a/file', Buffer.from('x'), { role: 'release' });
    repository.publishTargets();
    await download('a/file');
    repository.delegate('b', [{ name: 'release', paths: ['b/*'] }]);
    repository.state('release').signers = [repository.state('a').signers[0]!];
    repository.delegate('b', [{ name: 'release', paths: ['b/*'] }]);
    repository.publishTargets();
    await expect(download('a/file', 'b/file')).rejects.toMatchObject({ code: 'tuf.threshold' });
  });

  it('exits 0 when it is up to date and 1 when it refuses', async () => {
    const args = ['--metadata-dir', options.metadataDir, '--metadata-url', options.metadataUrl!];
    expect(await run(...args, 'refresh')).toBe(0);
    repository.roles.timestamp.expires = Date.now() - 1;
    repository.publish('timestamp');
    expect(await run(...args, 'refresh')).toBe(1);
    expect(await run('--metadata-dir', join(root, 'new'), 'init', join(root, 'root.json'))).toBe(0);
  });
});
