import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** One request's place in a trace (W3C Trace Context, level 1). */
export interface Trace {
  /** 32 hex digits. */
  traceId: string;
  /** What events and onward calls carry. */
  traceparent: string;
}

const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/;
const traces = new WeakMap<IncomingMessage, Trace>();

/** The trace of a request: the caller's, or a new one. Made when first asked for: most polls never need it. */
export function traceOf(request: IncomingMessage): Trace {
  const known = traces.get(request);
  if (known !== undefined) return known;
  const trace = readTraceparent(request.headers.traceparent);
  traces.set(request, trace);
  return trace;
}

/** @param header the caller's `traceparent`; a malformed one is ignored, as the specification asks (§3.2.2) */
export function readTraceparent(header: unknown): Trace {
  const match = typeof header === 'string' ? TRACEPARENT.exec(header) : null;
  const traceId = match?.[1] ?? randomBytes(16).toString('hex');
  const flags = match?.[2] ?? '00';
  return { traceId, traceparent: `00-${traceId}-${randomBytes(8).toString('hex')}-${flags}` };
}
