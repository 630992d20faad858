import { randomBytes } from 'node:crypto';
import { createServer as createHttpServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { refuseBroken } from './broken-request.js';

/** PEM texts. `ca` issues the client certificates that the listener asks for. */
export interface TlsIdentity {
  key: string;
  cert: string;
  ca?: string;
}

/** Limits against clients that send slowly or too much. Milliseconds, bytes. */
export const LISTENER_LIMITS = {
  headersMs: 5_000,
  /** Whole body of an ordinary request; an upload must make progress within the same time. */
  bodyMs: 10_000,
  handshakeMs: 5_000,
  /** How long a TLS ticket is good: beyond the floor of a day, at which every handset asks; a week at most (RFC 8446 §4.6.1). */
  ticketSeconds: 172_800,
  keepAliveMs: 30_000,
  /** A connection on which nothing moves; live streams send a comment more often. */
  idleMs: 120_000,
  headerBytes: 16_384,
  bodyBytes: 262_144,
  connections: 10_000,
} as const;

// Node looks for late headers only every `connectionsCheckingInterval`, 30 s by default. `requestTimeout` is off: it
// would end a long upload that progresses well; `guardBody` in server.ts has the rule instead.
const http: ServerOptions = {
  maxHeaderSize: LISTENER_LIMITS.headerBytes,
  headersTimeout: LISTENER_LIMITS.headersMs,
  requestTimeout: 0,
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: LISTENER_LIMITS.keepAliveMs,
};

/** Name, HMAC key and AES key, as Node takes them. */
const TICKET_KEY_BYTES = 48;

function limited<S extends Server>(server: S): S {
  server.maxConnections = LISTENER_LIMITS.connections;
  server.setTimeout(LISTENER_LIMITS.idleMs);
  server.on('clientError', refuseBroken);
  return server;
}

export const plainListener = (handler: RequestListener): Server => limited(createHttpServer(http, handler));

/** TLS 1.2 and 1.3. The certificate may come later by `setSecureContext`, and change while the listener runs. */
export function tlsListener(handler: RequestListener, asksForCertificate: boolean): HttpsServer {
  const tls = {
    minVersion: 'TLSv1.2' as const,
    handshakeTimeout: LISTENER_LIMITS.handshakeMs,
    sessionTimeout: LISTENER_LIMITS.ticketSeconds,
    // Of this process; Node would make new ones with each certificate, which voids every ticket.
    ticketKeys: randomBytes(TICKET_KEY_BYTES),
    requestCert: asksForCertificate,
    // A handset without a certificate, or with a foreign one, may still enrol and read the catalogue: guards decide.
    rejectUnauthorized: false,
  };
  return limited(createHttpsServer({ ...http, ...tls }, handler));
}

export const present = (server: HttpsServer, { key, cert, ca }: TlsIdentity): void =>
  server.setSecureContext({ key, cert, ...(ca === undefined ? {} : { ca }), minVersion: 'TLSv1.2' });

/** @returns the port, which is of the system's choice when 0 was asked for */
export const listenOn = (server: Server, host: string, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: 1_024 }, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });

/** Stops accepting, lets running requests finish for `graceMs`, then cuts. */
export async function closeListener(server: Server, graceMs: number): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(cut);
}

/** Which sockets belong to the handset's listener. */
export function socketsOf(server: HttpsServer): WeakSet<Socket> {
  const sockets = new WeakSet<Socket>();
  server.on('secureConnection', (socket) => sockets.add(socket));
  return sockets;
}
