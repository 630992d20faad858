import { STATUS_CODES } from 'node:http';
import { DomainError, type FieldError } from './errors.js';

/** An RFC 9457 problem document, the body of every 4xx and 5xx. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  /** Stable, for programs; `type` is `/problems/<code>`. */
  code: string;
  detail?: string;
  errors?: readonly FieldError[];
  details?: Readonly<Record<string, unknown>>;
  /** The trace that the log lines of this request carry. */
  traceId: string;
}

export const PROBLEM_TYPE = 'application/problem+json';

/** Codes whose status their form does not tell. Rooms add theirs with `registerStatus`. */
const exact = new Map<string, number>([
  ['precondition.failed', 412],
  ['precondition.required', 428],
  ['auth.forbidden', 403],
  ['idempotency.in-flight', 409],
  ['request.media-type', 415],
  ['request.method', 405],
  ['request.slow', 408],
  ['request.headers-too-large', 431],
  ['validation.failed', 400],
]);

/** The rest by form, first match wins; what nothing matches was understood and refused: 422. */
const byForm: readonly (readonly [RegExp, number])[] = [
  [/\.(unknown|not-found)$/, 404],
  [/\.(version-conflict|exists)$/, 409],
  [/\.too-large$/, 413],
  [/\.too-many$/, 429],
  [/\.unavailable$/, 503],
  [/\.(malformed|unsupported)$/, 400],
  [/^auth\./, 401],
];

/** Gives codes of a room their HTTP status: `registerStatus({ 'campaign.closed': 409 })`. */
export function registerStatus(statuses: Readonly<Record<string, number>>): void {
  for (const [code, status] of Object.entries(statuses)) exact.set(code, status);
}

export const statusOf = (code: string): number =>
  exact.get(code) ?? byForm.find(([form]) => form.test(code))?.[1] ?? 422;

const challenges = new Map<string, string>();

/** Which credential a refusal of a room asks for, as `WWW-Authenticate` says it (RFC 9110 §11.6.1). */
export function registerChallenge(schemes: Readonly<Record<string, string>>): void {
  for (const [code, scheme] of Object.entries(schemes)) challenges.set(code, scheme);
}

export const challengeOf = (code: string): string => challenges.get(code) ?? 'Bearer';

/** Codes for refusals that frameworks make before a room is asked. */
const codeOfStatus = new Map<number, string>([
  [400, 'request.malformed'],
  [401, 'auth.required'],
  [403, 'auth.forbidden'],
  [404, 'route.unknown'],
  [405, 'request.method'],
  [408, 'request.slow'],
  [413, 'request.too-large'],
  [414, 'request.address-too-long'],
  [415, 'request.media-type'],
  [429, 'request.too-many'],
  [431, 'request.headers-too-large'],
  [503, 'service.unavailable'],
]);

/** The problem document of a refusal by a rule. Details of a fault of ours (5xx) are for the log: they name hosts and keys. */
export function problemOf(error: DomainError, traceId: string, status = statusOf(error.code)): Problem {
  const { retryAfterSeconds } = error.details;
  const told = status < 500 ? error.details : retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  return {
    type: `/problems/${error.code}`,
    title: titleOf(error.code),
    status,
    code: error.code,
    ...(error.message === error.code ? {} : { detail: error.message }),
    ...(error.fields.length === 0 ? {} : { errors: error.fields }),
    ...(Object.keys(told).length === 0 ? {} : { details: told }),
    traceId,
  };
}

/** The problem document of a refusal by the framework, or of a fault of ours (5xx: says nothing of the inside). */
export function problemOfStatus(status: number, traceId: string, detail?: string): Problem {
  const code = codeOfStatus.get(status) ?? (status >= 500 ? 'internal' : 'request.refused');
  return {
    ...problemOf(new DomainError(code, {}, (status < 500 ? detail : undefined) ?? code), traceId, status),
    title: STATUS_CODES[status] ?? titleOf(code),
  };
}

/** `campaign.window-empty` → `Campaign window empty`: the same for every occurrence, as RFC 9457 §3.1.3 asks. */
function titleOf(code: string): string {
  const words = code.replace(/[.-]/g, ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
