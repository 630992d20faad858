import { randomBytes } from 'node:crypto';
import { readdirSync, renameSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Contenders that met withdraw and come again, each after a time of its own, up to this long. Milliseconds. */
const APART_MS = 100;
const ATTEMPTS = 10;

/**
 * Lets one process hold `path`, however many ask at the same instant, and frees it when that process dies. Node has no
 * file lock; a listening socket is one that the system lets go of. Each contender first shows a socket of its own beside
 * `path`, then looks at the others: of two, at least the later one sees the other, so never both go on. What does not
 * answer is dead for ever, since no name is used twice, and is cleared away.
 * @returns lets go; undefined while another process holds it
 */
export async function takeLock(path: string): Promise<(() => void) | undefined> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const mine = await show(`${path}.${randomBytes(4).toString('hex')}`);
    if (!(await isContended(path, mine.name))) return mine.withdraw;
    mine.withdraw();
    await sleep(Math.random() * APART_MS);
  }
  return undefined;
}

/** The socket listens before it has its name: one that is found and refuses is dead, never just being made. */
async function show(name: string): Promise<{ name: string; withdraw: () => void }> {
  const server = createServer((socket) => socket.destroy());
  const unnamed = `${name}~`;
  await new Promise<void>((done, failed) => {
    server.once('error', failed);
    server.listen(unnamed, done);
  });
  renameSync(unnamed, name);
  const withdraw = () => {
    rmSync(name, { force: true });
    server.close();
  };
  return { name, withdraw };
}

async function isContended(path: string, mine: string): Promise<boolean> {
  const folder = dirname(path);
  const form = /^\.[0-9a-f]{8}$/;
  const isContender = (name: string) => name.startsWith(basename(path)) && form.test(name.slice(basename(path).length));
  for (const name of readdirSync(folder).filter(isContender)) {
    const other = join(folder, name);
    if (other === mine) continue;
    const state = await stateOf(other);
    if (state === 'alive') return true;
    if (state === 'dead') rmSync(other, { force: true });
  }
  return false;
}

/** Anything but a refusal may be a process that is busy, or not ours to ask. */
const stateOf = (path: string): Promise<'alive' | 'dead' | 'gone'> =>
  new Promise((done) => {
    const probe = connect(path, () => done((probe.destroy(), 'alive')));
    probe.on('error', ({ code }: NodeJS.ErrnoException) =>
      done(code === 'ECONNREFUSED' ? 'dead' : code === 'ENOENT' ? 'gone' : 'alive'),
    );
  });
