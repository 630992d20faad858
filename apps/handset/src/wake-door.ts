import { createServer, type Server } from 'node:http';

/** Longest message that is waited for, bytes: what it says does not matter, and it should be little. */
const BODY_BYTES = 1_024;
const HEADERS_MS = 2_000;

/**
 * The local door for wakes: `POST /wake` on the loopback interface, for whatever on this handset receives pushes. It says
 * "poll now" and carries nothing, so whoever knocks can do no more than let a rule for `push` fire, as often as that allows.
 * @returns when it listens
 */
export async function openWakeDoor(port: number, wake: () => void): Promise<{ port: number; close(): void }> {
  const server = createServer({ headersTimeout: HEADERS_MS, requestTimeout: HEADERS_MS }, (request, response) => {
    let bytes = 0;
    request.on('error', () => undefined);
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > BODY_BYTES) request.destroy();
    });
    request.on('end', () => {
      const isWake = request.method === 'POST' && request.url === '/wake';
      if (isWake) wake();
      response.writeHead(isWake ? 204 : 404).end();
    });
  });
  await new Promise<void>((done, failed) => {
    server.once('error', failed);
    server.listen(port, '127.0.0.1', done);
  });
  return { port: portOf(server), close: () => (server.close(), server.closeAllConnections()) };
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
