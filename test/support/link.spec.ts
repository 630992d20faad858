import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Link } from './link.js';
import { eventually, freePort } from './processes.js';

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

  it('that is slow, brings each piece so much later in each direction, in order, also when it clears', async () => {
    const link = await linkTo(['a']);
    const socket = client(link);
    await answer(socket, '0');
    link.turnTo('slow', 200);
    const askedAt = performance.now();
    const first = answer(socket, '1');
    await new Promise((resolve) => setTimeout(resolve, 50));
    link.turnTo('clear');
    socket.write('2');
    expect(await first).toMatch(/^a 1/);
    expect(performance.now() - askedAt).toBeGreaterThan(190); // a timer may be a little early
  });

  it('that is deaf, passes on what the client says and loses the answer', async () => {
    const heard: string[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.on('data', (bytes) => {
        heard.push(bytes.toString());
        socket.write(`heard ${bytes.toString()}`);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const link = await Link.open(() => [portOf(server)]);
    open.push(link, server);
    const socket = client(link);
    link.turnTo('deaf');
    const lost = answer(socket, '1').catch(() => 'closed');
    await eventually('it is heard', async () => heard.length > 0 || undefined);
    await new Promise((resolve) => setTimeout(resolve, 100)); // the answer is on its way, and is not kept for later
    link.turnTo('clear');
    socket.write('2');
    expect([await lost, heard]).toEqual(['heard 2', ['1', '2']]);
  });

  it('ends the side of the server alone, or loses what is open and takes what is new', async () => {
    const link = await linkTo(['a']);
    const socket = connect({ port: link.port, host: '127.0.0.1', allowHalfOpen: true });
    open.push({ close: () => socket.destroy() });
    await answer(socket, '1');
    const ended = new Promise((resolve) => socket.once('end', () => resolve('ended')));
    link.halfClose();
    expect([await ended, socket.writable]).toEqual(['ended', true]);
    const other = client(link);
    await answer(other, '2');
    const closed = new Promise((resolve) => other.once('close', () => resolve('closed')));
    other.on('error', () => undefined); // as a reset is told
    link.reset();
    expect([await closed, await answer(client(link), '3')]).toEqual(['closed', 'a 3']);
  });
});
