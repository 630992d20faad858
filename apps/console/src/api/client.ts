import createClient, { type Middleware } from 'openapi-fetch';
import type { paths } from 'openapi-schema';
import { ApiProblem, problemOf, unreachable } from './problem.js';

/** What a page of another site cannot send along, so that it changes nothing by our cookie. */
export const CSRF = { 'muster-csrf': '1' } as const;

type Listener = () => void;
const signedOut = new Set<Listener>();

/** Tells when the server says that the session is over. @returns how to stop listening */
export function onSignedOut(listener: Listener): () => void {
  signedOut.add(listener);
  return () => signedOut.delete(listener);
}

const guarding: Middleware = {
  onRequest({ request }) {
    if (request.method === 'GET' || request.method === 'HEAD') return undefined;
    for (const [name, value] of Object.entries(CSRF)) request.headers.set(name, value);
    if (request.method === 'POST' && !request.headers.has('idempotency-key'))
      request.headers.set('idempotency-key', crypto.randomUUID());
    return request;
  },
  async onResponse({ response, schemaPath }) {
    if (response.ok) return undefined;
    const body: unknown = await response.json().catch(() => undefined);
    if (response.status === 401 && schemaPath !== '/v1/sessions') for (const listener of signedOut) listener();
    throw problemOf(response.status, body);
  },
  onError({ error }) {
    if (error instanceof ApiProblem || (error instanceof DOMException && error.name === 'AbortError')) return undefined;
    return unreachable();
  },
};

export const api = createClient<paths>({ baseUrl: location.origin, credentials: 'same-origin' });
api.use(guarding);

/** Changes are made to what was seen: the version that it was read with, or any. */
export const ifMatch = (version: number | '*'): { 'if-match': string } => ({
  'if-match': version === '*' ? '*' : `"v${version}"`,
});

/** What an answer that went well carries; `onResponse` has thrown for all others. */
export async function dataOf<T>(answer: Promise<{ data?: T }>): Promise<T> {
  const { data } = await answer;
  if (data === undefined) throw new ApiProblem(0, 'empty', 'the answer was empty');
  return data;
}
