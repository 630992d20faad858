import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Link } from './nemesis-link.js';
import { freePort } from './processes.js';

/** A server that answers each piece with its own name and the piece. */
const echo = (name: string): Promise<Server> =>
  new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.on('data', (bytes) => socket.write(`${name} ${bytes.toString()}`));
    });
    server.listen(0, '127.0.0.1', () => resolve(server));
  });

const portOf = (server: Server) => (server.address() as AddressInfo).port;

describe('a link', () => {
  const open: { close(): unknown }[] = [];
  afterEach(() => {
    for (const each of open.splice(0)) each.close();
  });

  const linkTo = async (names: readonly string[], ports: readonly number[] = []) => {
    const servers = await Promise.all(names.map(echo));
    const all = [...ports, ...servers.map(portOf)];
    const link = await Link.open(() => all);
    open.push(link, ...servers);
    return link;
  };
  const client = (link: Link): Socket => {
    const socket = connect(link.port, '127.0.0.1');
    open.push({ close: () => socket.destroy() });
    return socket;
  };
  const answer = (socket: Socket, text: string) =>
    new Promise<string>((resolve, reject) => {
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('closed')));
      socket.once('data', (bytes) => resolve(bytes.toString()));
      socket.write(text);
    });

  it('takes the targets in turn, and the next where nothing listens', async () => {
    const link = await linkTo(['a', 'b']);
    const both = [await answer(client(link), '1'), await answer(client(link), '2')].sort();
    expect(both).toEqual([expect.stringMatching(/^a /), expect.stringMatching(/^b /)]);
    const half = await linkTo(['c'], [await freePort()]);
    expect([await answer(client(half), '3'), await answer(client(half), '4')]).toEqual(['c 3', 'c 4']);
  });

  it('that is cut, resets what is open and refuses what is new, until it clears', async () => {
    const link = await linkTo(['a']);
    const before = client(link);
    await answer(before, '1');
    link.turnTo('cut');
    await expect(answer(before, '2')).rejects.toThrow();
    await expect(answer(client(link), '3')).rejects.toThrow();
    link.turnTo('clear');
    expect(await answer(client(link), '4')).toBe('a 4');
  });

  it('that hangs, passes nothing on and says nothing, and loses no byte of it', async () => {
    const link = await linkTo(['a']);
    const socket = client(link);
    await answer(socket, '1');
    link.turnTo('hung');
    const waiting = answer(socket, '2');
    const soon = new Promise((resolve) => setTimeout(() => resolve('nothing yet'), 300));
    expect(await Promise.race([waiting, soon])).toBe('nothing yet');
    link.turnTo('clear');
    expect(await waiting).toBe('a 2');
  });
});
