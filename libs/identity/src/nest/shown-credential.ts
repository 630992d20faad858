import type { FastifyReply, FastifyRequest } from 'fastify';
import { IdentityError } from '../errors.js';
import { SESSION_ABSOLUTE_MS } from '../login.js';

/** What a request shows to say who sends it. */
export interface ShownCredential {
  text: string;
  by: 'header' | 'cookie';
}

/** Of a page of ours that asks on purpose: a foreign page cannot send it without being asked first (a preflight, which nobody here allows). */
const CSRF_HEADER = 'muster-csrf';

/**
 * The header wins over the cookie, also when it is wrong: a program that names its credential means it, and is never somebody
 * else by what a browser has kept.
 */
export function shownCredential(request: FastifyRequest): ShownCredential | undefined {
  const { authorization } = request.headers;
  if (authorization !== undefined) {
    const text = /^Bearer ([\x21-\x7e]{1,200})$/i.exec(authorization)?.[1];
    return text === undefined ? undefined : { text, by: 'header' };
  }
  const text = cookieOf(request);
  return text === undefined ? undefined : { text, by: 'cookie' };
}

/** The value of our cookie; one that we cannot have made is still one, to be refused and cleared. */
export function cookieOf(request: FastifyRequest): string | undefined {
  const prefix = `${nameOf(request)}=`;
  const pairs = (request.headers.cookie ?? '').split(';').map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(prefix))?.slice(prefix.length);
}

/** Host-bound where TLS is: no other host of the domain, and no connection without TLS, can plant it (RFC 6265bis §4.1.3). */
const nameOf = ({ protocol }: FastifyRequest): string => (protocol === 'https' ? '__Host-muster' : 'muster');

/** Gives the browser the session; script of a page never sees it. */
export function setSessionCookie(request: FastifyRequest, reply: FastifyReply, token: string): void {
  writeCookie(request, reply, token, SESSION_ABSOLUTE_MS / 1_000);
}

export function clearSessionCookie(request: FastifyRequest, reply: FastifyReply): void {
  writeCookie(request, reply, '', 0);
}

function writeCookie(request: FastifyRequest, reply: FastifyReply, value: string, maxAgeSeconds: number): void {
  const secure = request.protocol === 'https' ? '; Secure' : '';
  const attributes = `Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Strict${secure}`;
  void reply.header('set-cookie', `${nameOf(request)}=${value}; ${attributes}`);
}

/**
 * A browser adds the cookie to whatever a page of this site asks, so a change by it must come from a page of ours.
 * SameSite=Strict alone would let in pages of other ports and hosts of the same site.
 * @throws IdentityError `auth.csrf`
 */
export function refuseForeignPage(request: FastifyRequest): void {
  if (request.method === 'GET' || request.method === 'HEAD') return;
  if (request.headers[CSRF_HEADER] !== '1')
    throw csrf(`/${CSRF_HEADER}`, 'must be 1 where the session is a cookie', 'a change by cookie without the header');
  refuseForeignOrigin(request);
}

/** The part of it that needs no header of ours: what browsers say of the page that asks. @throws IdentityError `auth.csrf` */
export function refuseForeignOrigin({ headers }: FastifyRequest): void {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin')
    throw csrf('/sec-fetch-site', 'must be same-origin', 'asked by a page of another origin');
  const { origin, host } = headers;
  if (origin !== undefined && hostOf(origin) !== host?.toLowerCase())
    throw csrf('/origin', 'must be this host', 'asked by a page of another origin');
}

const csrf = (pointer: string, message: string, detail: string): IdentityError =>
  new IdentityError('auth.csrf', {}, detail, [{ pointer, message }]);

/** Without the scheme: a proxy may end the TLS of the browser before it asks here. */
const hostOf = (origin: string): string | undefined => /^https?:\/\/([^/\s]+)$/.exec(origin)?.[1]?.toLowerCase();
