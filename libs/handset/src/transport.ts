import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { type TLSSocket } from 'node:tls';
import { HandsetError } from './errors.js';
import { type HttpAnswer, type HttpRequest, type Transport } from './ports.js';

/** When a connection counts as too slow (an answer at 1 byte/s would otherwise hold the agent for ever). */
export interface Pace {
  /** Least rate, bytes a second, looked at once per window. */
  minBytesPerSecond: number;
  windowMs: number;
  /** Until the answer's headers. */
  headersMs: number;
  /** For a whole exchange that names no deadline of its own. */
  deadlineMs: number;
}

export const DEFAULT_PACE: Pace = { minBytesPerSecond: 1024, windowMs: 60_000, headersMs: 30_000, deadlineMs: 120_000 };

export interface TransportOptions {
  /** e.g. `https://127.0.0.1:8443`. */
  origin: string;
  /** Trust anchors, PEM. Without them nothing is trusted, not even what the system trusts. */
  ca?: string;
  certificate?: string;
  key?: string;
  /** Plain http, and to the loopback address only: a test mode. */
  allowsLoopbackHttp?: boolean;
  /** For the one request that fetches the CA, which is then held against its pinned fingerprint. */
  isUnverified?: boolean;
  pace?: Partial<Pace>;
  /** Told of each exchange whether it ran on a resumed TLS session. */
  onExchange?: (about: { isResumed: boolean }) => void;
}

/**
 * HTTP/1.1 over TLS 1.2 or 1.3 by node:https. The agent keeps the connections of one poll alive and the session tickets
 * for the next one, so only the first handshake is a full one. Redirects are not followed.
 */
export function httpsTransport(options: TransportOptions): Transport {
  const origin = new URL(options.origin);
  refuseOtherSchemes(origin, options);
  const isTls = origin.protocol === 'https:';
  const agent = isTls ? new HttpsAgent({ ...KEEP_ALIVE, ...tlsOptions(options) }) : new HttpAgent(KEEP_ALIVE);
  const pace = { ...DEFAULT_PACE, ...options.pace };
  const open = async (request: HttpRequest, url: URL): Promise<HttpAnswer> => {
    const deadline = AbortSignal.timeout(request.deadlineMs ?? pace.deadlineMs);
    const response = await firstLine({ request, url, agent, deadline, pace, options });
    refuseUnwanted(response, request.maxBytes);
    return {
      status: response.statusCode ?? 0,
      headers: flatHeaders(response),
      body: limitedBody(response, request.maxBytes, pace, deadline),
      discard: () => void response.destroy(),
    };
  };
  return {
    send: async (request) => {
      const url = new URL(request.url, origin);
      if (url.origin !== origin.origin) throw new HandsetError('transport.foreign-origin', { origin: url.origin });
      try {
        return await open(request, url);
      } catch (error) {
        // A kept connection may close under the request; the exchange then never happened, and a new one is due.
        if (error instanceof StaleConnection) return open(request, url);
        throw error;
      }
    },
    close: () => agent.destroy(),
  };
}

const KEEP_ALIVE = { keepAlive: true, maxSockets: 4, maxCachedSessions: 8 };

const tlsOptions = ({ ca, certificate, key, isUnverified }: TransportOptions) => ({
  ca: ca ?? [],
  cert: certificate,
  key,
  minVersion: 'TLSv1.2' as const,
  rejectUnauthorized: isUnverified !== true,
});

function refuseOtherSchemes(origin: URL, { allowsLoopbackHttp }: TransportOptions): void {
  if (origin.protocol === 'https:') return;
  const isLoopback = origin.hostname === '127.0.0.1' || origin.hostname === 'localhost' || origin.hostname === '[::1]';
  if (origin.protocol === 'http:' && isLoopback && allowsLoopbackHttp === true) return;
  throw new HandsetError('transport.foreign-origin', { origin: origin.origin }, 'only https is spoken');
}

class StaleConnection extends Error {}

interface Opening {
  request: HttpRequest;
  url: URL;
  agent: HttpsAgent | HttpAgent;
  deadline: AbortSignal;
  pace: Pace;
  options: TransportOptions;
}

/** Sends the request; resolves with the answer's headers. */
function firstLine({ request, url, agent, deadline, pace, options }: Opening): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const start = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const headers = { 'accept-encoding': 'identity', ...bodyHeaders(request), ...request.headers };
    const outgoing = start(url, { method: request.method, agent, headers, maxHeaderSize: 16_384 });
    const timer = setTimeout(() => outgoing.destroy(new HandsetError('transport.too-slow')), pace.headersMs);
    const expire = () => outgoing.destroy(new HandsetError('transport.deadline'));
    deadline.addEventListener('abort', expire, { once: true });
    const settle = () => {
      clearTimeout(timer);
      deadline.removeEventListener('abort', expire);
    };
    outgoing.on('response', (response) => {
      settle();
      options.onExchange?.({ isResumed: isResumed(response) });
      resolve(response);
    });
    outgoing.on('error', (error) => {
      settle();
      reject(outgoing.reusedSocket && isReset(error) ? new StaleConnection() : asTransportError(error));
    });
    outgoing.end(request.body);
  });
}

const bodyHeaders = ({ body }: HttpRequest): Record<string, string | number> =>
  body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };

const isResumed = (response: IncomingMessage): boolean =>
  'isSessionReused' in response.socket && (response.socket as TLSSocket).isSessionReused();
const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown';
/** The server's certificate does not hold at this hour: most often it is the handset's clock that is wrong. */
const OUT_OF_TIME = ['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED'];
const isReset = (error: unknown): boolean => ['ECONNRESET', 'EPIPE'].includes(codeOf(error));

/** Refuses before the body: what is announced too long, and what is compressed though identity was asked for. */
function refuseUnwanted(response: IncomingMessage, maxBytes: number): void {
  const { 'content-length': length, 'content-encoding': encoding } = response.headers;
  const refuse = (error: HandsetError): never => {
    response.destroy();
    throw error;
  };
  if (encoding !== undefined && encoding !== 'identity') refuse(new HandsetError('transport.encoding', { encoding }));
  if (length !== undefined && Number(length) > maxBytes) refuse(new HandsetError('transport.too-large', { maxBytes }));
}

const flatHeaders = ({ headers }: IncomingMessage): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
    ),
  );

async function* limitedBody(
  response: IncomingMessage,
  maxBytes: number,
  pace: Pace,
  deadline: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let total = 0;
  let atWindowStart = 0;
  const stop = (code: 'transport.too-slow' | 'transport.deadline') => response.destroy(new HandsetError(code));
  const watch = setInterval(() => {
    if (total - atWindowStart < (pace.minBytesPerSecond * pace.windowMs) / 1000) stop('transport.too-slow');
    atWindowStart = total;
  }, pace.windowMs);
  const expire = () => stop('transport.deadline');
  deadline.addEventListener('abort', expire, { once: true });
  try {
    for await (const chunk of response as AsyncIterable<Uint8Array>) {
      total += chunk.length;
      if (total > maxBytes) throw new HandsetError('transport.too-large', { maxBytes });
      yield chunk;
    }
  } catch (error) {
    throw asTransportError(error, 'transport.interrupted');
  } finally {
    clearInterval(watch);
    deadline.removeEventListener('abort', expire);
    if (!response.complete) response.destroy();
  }
}

function asTransportError(
  error: unknown,
  code: 'transport.unreachable' | 'transport.interrupted' = 'transport.unreachable',
): HandsetError {
  if (error instanceof HandsetError) return error;
  const cause = codeOf(error);
  return new HandsetError(OUT_OF_TIME.includes(cause) ? 'transport.certificate-time' : code, { cause });
}
