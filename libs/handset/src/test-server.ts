import 'reflect-metadata'; // the X.509 library's injection needs it before it loads
import { createHash, webcrypto } from 'node:crypto';
import { type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { type AddressInfo, type Socket } from 'node:net';
import * as x509 from '@peculiar/x509';
import { type Clock } from '#runtime/index.js';

const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** A CA of one test, and what it signs. Everything PEM. */
export interface TestAuthority {
  certificate: string;
  /** sha-256 of the DER, hex: what an enrol line pins. */
  fingerprint: string;
  issue(name: string, options?: IssueOptions): Promise<{ certificate: string; key: string }>;
  /** Certifies the key of a CSR. */
  sign(csr: string, options?: IssueOptions): Promise<string>;
}

export interface IssueOptions {
  notBefore?: Date;
  notAfter?: Date;
}

export async function testAuthority(): Promise<TestAuthority> {
  const keys = await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify']);
  const extensions = [new x509.BasicConstraintsExtension(true, 0, true)];
  const name = 'CN=test CA';
  const own = await x509.X509CertificateGenerator.createSelfSigned({ name, keys, signingAlgorithm: P256, extensions });
  const certify = async (
    subject: string,
    publicKey: x509.PublicKey | webcrypto.CryptoKey,
    options: IssueOptions = {},
  ) => {
    const names = new x509.SubjectAlternativeNameExtension([
      { type: 'ip', value: '127.0.0.1' },
      { type: 'dns', value: 'localhost' },
    ]);
    const wanted = { subject, issuer: name, publicKey, signingKey: keys.privateKey, signingAlgorithm: P256 };
    const made = await x509.X509CertificateGenerator.create({ ...wanted, ...options, extensions: [names] });
    return made.toString('pem');
  };
  return {
    certificate: own.toString('pem'),
    fingerprint: createHash('sha256').update(new Uint8Array(own.rawData)).digest('hex'),
    issue: async (subject, options) => {
      const pair = await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify']);
      const key = await webcrypto.subtle.exportKey('pkcs8', pair.privateKey);
      const certificate = await certify(`CN=${subject}`, pair.publicKey, options);
      return { certificate, key: x509.PemConverter.encode(key, 'PRIVATE KEY') };
    },
    sign: (csr, options) => certify('CN=device', new x509.Pkcs10CertificateRequest(csr).publicKey, options),
  };
}

export type Behaviour = (request: IncomingMessage, response: ServerResponse, body: string) => void;

/** A loopback HTTPS server that does what the test tells it, misbehaviour included. */
export interface TestServer {
  origin: string;
  authority: TestAuthority;
  /** `GET /path` of each request so far. */
  seen: string[];
  behave(behaviour: Behaviour): void;
  /** Ends every connection, as a proxy that restarts. */
  cut(): void;
  close(): Promise<void>;
}

export async function testServer(): Promise<TestServer> {
  const authority = await testAuthority();
  const { certificate, key } = await authority.issue('server');
  const sockets = new Set<Socket>();
  const seen: string[] = [];
  let current: Behaviour = (_, response) => response.writeHead(404).end();
  const tls = { cert: certificate, key, ca: authority.certificate, requestCert: true, rejectUnauthorized: false };
  const server: Server = createServer(tls, (request, response) => {
    seen.push(`${request.method} ${request.url}`);
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => current(request, response, body));
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => sockets.forEach((socket) => socket.destroy());
  return {
    origin: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    authority,
    seen,
    cut,
    behave: (behaviour) => (current = behaviour),
    close: () => {
      cut();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** What a server may do wrong while it sends a content. */
export type Misbehaviour =
  | { kind: 'none' }
  /** Drops the connection after so many bytes of this answer. */
  | { kind: 'reset'; afterBytes: number }
  /** Ends the body early, but politely: the announced length is not reached. */
  | { kind: 'torn'; afterBytes: number }
  /** Answers 200 with the whole content though a range was asked for. */
  | { kind: 'ignores-range' }
  | { kind: 'endless' }
  /** Sends so much, then nothing, and holds the connection. */
  | { kind: 'stalls'; afterBytes: number }
  /** One byte each 20 ms. */
  | { kind: 'slow' }
  | { kind: 'status'; status: number; headers?: Record<string, string> }
  /** The right length, other bytes. */
  | { kind: 'other-bytes' };

/** Sends `content` as `GET /d/v1/contents/<id>` would, with ranges, a strong ETag and the misbehaviour. */
export function sendContent(
  request: IncomingMessage,
  response: ServerResponse,
  { bytes, etag, misbehaviour }: { bytes: Uint8Array; etag: string; misbehaviour: Misbehaviour },
): void {
  if (misbehaviour.kind === 'status') return void response.writeHead(misbehaviour.status, misbehaviour.headers).end();
  const from = misbehaviour.kind === 'ignores-range' ? 0 : rangeStart(request, etag);
  if (from > bytes.length || (from === bytes.length && from > 0))
    return void response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
  const sent = misbehaviour.kind === 'other-bytes' ? bytes.map((byte) => byte ^ 1) : bytes;
  const part = Buffer.from(sent.subarray(from));
  const range = from > 0 ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {};
  const length = misbehaviour.kind === 'endless' ? {} : { 'content-length': part.length };
  response.writeHead(from > 0 ? 206 : 200, { etag, 'accept-ranges': 'bytes', ...range, ...length });
  sendBody(response, part, misbehaviour);
}

function rangeStart({ headers }: IncomingMessage, etag: string): number {
  const match = /^bytes=(\d+)-$/.exec(headers.range ?? '');
  return match !== null && (headers['if-range'] ?? etag) === etag ? Number(match[1]) : 0;
}

function sendBody(response: ServerResponse, part: Buffer, misbehaviour: Misbehaviour): void {
  switch (misbehaviour.kind) {
    case 'reset':
      response.write(part.subarray(0, misbehaviour.afterBytes), () => response.socket?.destroy());
      return;
    case 'torn':
      response.write(part.subarray(0, misbehaviour.afterBytes), () => response.socket?.end());
      return;
    case 'stalls':
      return void response.write(part.subarray(0, misbehaviour.afterBytes));
    case 'endless':
      return repeat(response, 1, Buffer.alloc(65_536));
    case 'slow':
      return repeat(response, 20, part.subarray(0, 1));
    default:
      response.end(part);
  }
}

function repeat(response: ServerResponse, everyMs: number, piece: Buffer): void {
  const timer = setInterval(() => response.write(piece), everyMs);
  response.on('close', () => clearInterval(timer));
}

/** A clock that stands until it is moved. */
export function fakeClock(now = Date.parse('2026-11-24T10:00:00Z')): Clock & { advance(ms: number): void } {
  let current = now;
  return { now: () => current, advance: (ms) => void (current += ms) };
}
