import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { request as httpsRequest, createServer as createHttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';

export interface Proxy {
  port: number;
  close(): Promise<void>;
}

const listen = (server: Server): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });

const closing = (server: Server, sockets: Set<Duplex>) => (): Promise<void> =>
  new Promise((resolve) => {
    for (const socket of sockets) socket.destroy();
    server.close(() => resolve());
  });

/** A TCP relay to `target` that passes at most `bytesPerSecond()` from the server to each client. */
export async function throttlingProxy(target: number, bytesPerSecond: () => number): Promise<Proxy & { cut(): void }> {
  const sockets = new Set<Duplex>();
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream);
    upstream.on('data', (chunk) => {
      client.write(chunk);
      upstream.pause();
      setTimeout(() => upstream.resume(), (chunk.length / bytesPerSecond()) * 1000);
    });
    upstream.on('end', () => client.end());
  });
  return {
    port: await listen(server),
    close: closing(server, sockets),
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Accepts, and then says something else than the protocol, or nothing. */
export async function nonsenseServer(answer: (socket: Socket) => void): Promise<Proxy> {
  const sockets = new Set<Duplex>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
    socket.on('data', () => answer(socket));
  });
  return { port: await listen(server), close: closing(server, sockets) };
}

export interface Exchange {
  method: string;
  path: string;
  /** Header lines and body as the handset sent them. */
  request: Buffer;
  /** Status, header lines and body as the server answered. */
  response: Buffer;
  status: number;
}

/** Files of the TLS identities that the recording proxy plays: the server towards the handset, the handset towards the server. */
export interface ProxyIdentity {
  serverKey: string;
  serverCertificate: string;
  deviceKey: string;
  deviceCertificate: string;
}

/** Ends TLS between one handset and the server and keeps everything that passes, in both directions. */
export async function recordingProxy(
  target: number,
  identity: ProxyIdentity,
): Promise<Proxy & { exchanges: Exchange[] }> {
  const exchanges: Exchange[] = [];
  const sockets = new Set<Duplex>();
  const upstreamIdentity = { key: readFileSync(identity.deviceKey), cert: readFileSync(identity.deviceCertificate) };
  const server = createHttpsServer(
    {
      key: readFileSync(identity.serverKey),
      cert: readFileSync(identity.serverCertificate),
      requestCert: true,
      rejectUnauthorized: false,
    },
    (incoming, answer) => {
      const sent: Buffer[] = [];
      const upstream = httpsRequest(
        {
          host: '127.0.0.1',
          port: target,
          method: incoming.method,
          path: incoming.url,
          headers: incoming.headers,
          ...upstreamIdentity,
          rejectUnauthorized: false,
        },
        (reply) => {
          const received: Buffer[] = [];
          answer.writeHead(reply.statusCode ?? 502, reply.rawHeaders);
          reply.on('data', (chunk: Buffer) => {
            received.push(chunk);
            answer.write(chunk);
          });
          reply.on('end', () => {
            answer.end();
            exchanges.push({
              method: incoming.method ?? '',
              path: incoming.url ?? '',
              request: Buffer.concat([
                Buffer.from(`${incoming.method} ${incoming.url}\r\n${incoming.rawHeaders.join('\r\n')}\r\n\r\n`),
                ...sent,
              ]),
              response: Buffer.concat([
                Buffer.from(`${reply.statusCode}\r\n${reply.rawHeaders.join('\r\n')}\r\n\r\n`),
                ...received,
              ]),
              status: reply.statusCode ?? 0,
            });
          });
        },
      );
      upstream.on('error', () => answer.destroy());
      incoming.on('data', (chunk: Buffer) => {
        sent.push(chunk);
        upstream.write(chunk);
      });
      incoming.on('end', () => upstream.end());
    },
  );
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  return { port: await listen(server), close: closing(server, sockets), exchanges };
}
