import { randomBytes } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { PROBLEM_TYPE, problemOfStatus } from '../problem.js';

const STATUS_OF: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
};

/** All else is of the connection: a handshake that failed or took too long would be answered, late, as if the request were wrong. */
const OF_HTTP = /^(HPE_|ERR_HTTP_)/;

/**
 * Answers what Node's parser refuses, before there is a request that a route could answer: a problem document as for
 * every other refusal, then the end of the connection.
 */
export function refuseBroken(error: Error & { code?: string }, socket: Duplex): void {
  if (!OF_HTTP.test(error.code ?? '') || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = STATUS_OF[error.code ?? ''] ?? 400;
  const body = JSON.stringify(problemOfStatus(status, randomBytes(16).toString('hex')));
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: ${PROBLEM_TYPE}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  socket.once('finish', () => socket.destroy());
}
