import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { EventStream, STREAM_LIMITS, type StreamLimits } from './event-stream.js';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

/** Both ends of one stream. */
async function opened(limits: Partial<StreamLimits>): Promise<{ stream: EventStream; client: IncomingMessage }> {
  let stream: EventStream | undefined;
  const server = createServer((_, response) => (stream = new EventStream(response, { ...STREAM_LIMITS, ...limits })));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' }, resolve).on('error', reject);
  });
  client.on('error', () => undefined); // a stream may be cut
  return { stream: stream!, client };
}

const textOf = async (client: IncomingMessage): Promise<string> => {
  let text = '';
  for await (const chunk of client.setEncoding('utf8')) text += String(chunk);
  return text;
};

describe('an event stream', () => {
  it('writes events by the rules of server-sent events', async () => {
    const { stream, client } = await opened({});
    expect(await stream.send('p1', 'CampaignStarted', '{"a":1}')).toBe(true);
    stream.end();
    expect(await textOf(client)).toBe('retry: 1000\n\nid: p1\nevent: CampaignStarted\ndata: {"a":1}\n\n');
  });

  it('drops a reader that takes nothing, and holds no more for it than the connection does', async () => {
    const { stream, client } = await opened({ stalledMs: 50 });
    client.pause();
    const data = 'x'.repeat(64 * 1024);
    let sent = 0;
    while (await stream.send('p', 'e', data)) sent += 1;
    expect(sent).toBeLessThan(1_000); // 64 MB; the kernel's buffers take a few
    stream.end();
    expect(stream.signal.aborted).toBe(true);
  });

  it('shows that it lives while nothing happens, and ends after its life', async () => {
    const { stream, client } = await opened({ heartbeatMs: 10, lifeMs: 100 });
    expect(await textOf(client)).toContain(': still here\n\n: still here\n\n');
    expect(await stream.send('p', 'e', '')).toBe(false);
  });

  it('is over when the client goes', async () => {
    const { stream, client } = await opened({});
    const over = new Promise((resolve) => stream.signal.addEventListener('abort', resolve));
    client.destroy();
    await over;
  });
});
