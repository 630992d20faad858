import { readFileSync } from 'node:fs';
import { createServer, request } from 'node:https';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Proxy, ProxyIdentity } from './proxies.js';

/** What the server answered to a request for bytes, for a test to send something else. */
export interface Honest {
  /** As the handset asked; `range` is there when it resumes. */
  asked: IncomingHttpHeaders;
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

/** Sends its own answer, or nothing, or breaks the connection. */
export type Misbehaviour = (honest: Honest, response: ServerResponse) => void;

export const honestly: Misbehaviour = ({ status, headers, body }, response) =>
  void response.writeHead(status, headers).end(body);

/** Ends TLS between a handset and the server, passes everything on, and misbehaves on contents, in this order; then no more. */
export async function hostileProxy(
  target: number,
  identity: ProxyIdentity,
  misbehaviours: Misbehaviour[],
): Promise<Proxy & { asked: IncomingHttpHeaders[] }> {
  const asked: IncomingHttpHeaders[] = [];
  const device = { key: readFileSync(identity.deviceKey), cert: readFileSync(identity.deviceCertificate) };
  const forward = (incoming: IncomingMessage, response: ServerResponse): void => {
    const { method, url = '', headers } = incoming;
    const at = { host: '127.0.0.1', port: target, method, path: url, headers, rejectUnauthorized: false, ...device };
    const upstream = request(at, (reply) => {
      void collected(reply).then((body) => {
        const answer = { asked: headers, status: reply.statusCode ?? 502, headers: flat(reply.headers), body };
        const isContent = url.startsWith('/d/v1/contents/') && answer.status < 300;
        if (isContent) asked.push(headers);
        ((isContent ? misbehaviours.shift() : undefined) ?? honestly)(answer, response);
      });
    });
    upstream.on('error', () => response.destroy());
    incoming.pipe(upstream);
  };
  const tls = { key: readFileSync(identity.serverKey), cert: readFileSync(identity.serverCertificate) };
  const server = createServer({ ...tls, requestCert: true, rejectUnauthorized: false }, forward);
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      for (const socket of sockets) socket.destroy();
      server.close(() => resolve());
    });
  return { port: (server.address() as AddressInfo).port, close, asked };
}

async function collected(reply: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of reply) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

/** Without those of one connection. */
const flat = (headers: IncomingHttpHeaders): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => !['connection', 'keep-alive', 'transfer-encoding'].includes(name))
      .map(([name, value]) => [name, String(value)]),
  );
