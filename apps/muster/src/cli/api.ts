import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RequestInit as UndiciInit } from 'undici';
import { CliError, EXIT, exitCodeOf } from './exit-codes.js';

export interface ApiOptions {
  server: string;
  token?: string;
  /** PEM file of the server's issuer. */
  ca?: string;
  /** Changes are only tried. */
  isDry?: boolean;
  signal: AbortSignal;
  trace?: (line: string) => void;
}

export interface Answer<T> {
  status: number;
  body: T;
  etag: string | null;
}

interface CallOptions {
  body?: unknown;
  headers?: Record<string, string>;
  /** Sent as it is instead of JSON. */
  text?: { type: string; content: string };
  bytes?: Uint8Array;
}

/** The server's HTTP API. Every POST carries an Idempotency-Key, every change of a resource its If-Match. */
export class Api {
  constructor(readonly options: ApiOptions) {}

  async get<T>(path: string): Promise<T> {
    return (await this.call<T>('GET', path)).body;
  }

  async post<T>(path: string, body: unknown = {}, headers: Record<string, string> = {}): Promise<T> {
    return (await this.call<T>('POST', path, { body, headers })).body;
  }

  /** Reads the resource for its ETag, then changes it under that condition. */
  async change<T>(method: string, resource: string, path: string = resource, body: unknown = {}): Promise<T> {
    const { etag } = await this.call('GET', resource);
    return (await this.call<T>(method, path, { body, headers: { 'if-match': etag ?? '*' } })).body;
  }

  /** All items of a list, or the first `limit`. */
  async list<T>(path: string, limit = Infinity): Promise<T[]> {
    const items: T[] = [];
    const query = path.includes('?') ? '&' : '?';
    for (let cursor: string | null = ''; cursor !== null && items.length < limit; ) {
      const part: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const size = Math.min(200, limit - items.length);
      const page: { items: T[]; next: string | null } = await this.get(`${path}${query}limit=${size}${part}`);
      items.push(...page.items);
      cursor = page.next;
    }
    return items;
  }

  async call<T>(method: string, path: string, options: CallOptions = {}): Promise<Answer<T>> {
    const response = await this.raw(method, path, options);
    const text = await response.text();
    const body = (text === '' ? undefined : parsed(text, response.headers.get('content-type'))) as T;
    return { status: response.status, body, etag: response.headers.get('etag') };
  }

  /** @throws CliError for any answer that is not a success */
  async raw(method: string, path: string, options: CallOptions = {}): Promise<Response> {
    const response = await this.send(method, path, options);
    if (response.ok) return response;
    // Whoever is just logging in need not be told to.
    const hint = response.status === 401 && path !== '/v1/sessions' ? 'muster login' : undefined;
    throw problemError(response.status, await response.text(), { server: this.options.server, hint });
  }

  /** Asks what the process itself answers, whatever the status, and waits for nobody long. */
  probe(path: string): Promise<Response> {
    const signal = AbortSignal.any([this.options.signal, AbortSignal.timeout(5_000)]);
    return this.fetch(new URL(path, this.options.server), { signal });
  }

  /** Server-sent events, one parsed `data` at a time, until the signal or the server ends it. */
  async *stream<T>(path: string): AsyncGenerator<{ id: string | undefined; event: string; data: T }> {
    const response = await this.raw('GET', path, { headers: { accept: 'text/event-stream' } });
    if (response.body === null) return;
    let buffered = '';
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      const blocks = (buffered + chunk).split('\n\n');
      buffered = blocks.pop() ?? '';
      for (const block of blocks) {
        const fields = block
          .split('\n')
          .map((line) => [line.split(':', 1)[0] ?? '', line.slice(line.indexOf(':') + 1).trim()]);
        const of = (name: string) => fields.filter(([field]) => field === name).map(([, value]) => value ?? '');
        const data = of('data');
        if (data.length > 0)
          yield { id: of('id')[0], event: of('event')[0] ?? 'message', data: JSON.parse(data.join('\n')) as T };
      }
    }
  }

  headers(): Record<string, string> {
    return this.options.token === undefined ? {} : { authorization: `Bearer ${this.options.token}` };
  }

  private async send(method: string, path: string, { body, headers, text, bytes }: CallOptions): Promise<Response> {
    const { server, signal, trace } = this.options;
    const url = this.urlOf(method, path);
    const content = bytes ?? text?.content ?? (body === undefined ? undefined : JSON.stringify(body));
    const sent = {
      ...this.headers(),
      ...(content === undefined ? {} : { 'content-type': text?.type ?? 'application/json' }),
      ...(method === 'POST' ? { 'idempotency-key': randomUUID() } : {}),
      ...headers,
    };
    trace?.(`${method} ${url.href}`);
    try {
      return await this.fetch(url, {
        method,
        headers: sent,
        signal,
        ...(content === undefined ? {} : { body: content }),
      });
    } catch (error) {
      if (signal.aborted) throw new CliError(EXIT.interrupted, 'interrupted');
      throw unreachable(server, error);
    }
  }

  private urlOf(method: string, path: string): URL {
    const url = new URL(path, this.options.server);
    if (this.options.isDry === true && method !== 'GET' && method !== 'HEAD') url.searchParams.set('dry_run', 'true');
    return url;
  }

  private async fetch(url: URL, init: RequestInit): Promise<Response> {
    const { ca } = this.options;
    if (ca === undefined) return fetch(url, init);
    const { Agent, fetch: fetchThrough } = await import('undici');
    const dispatcher = new Agent({ connect: { ca: readFileSync(ca, 'utf8') } });
    // The same standard by two declarations: undici's own, and the one that Node's types bring.
    return await fetchThrough(url, { ...(init as UndiciInit), dispatcher });
  }
}

interface ProblemBody {
  code?: string;
  title?: string;
  detail?: string;
  errors?: { pointer: string; message: string }[];
}

function problemError(
  status: number,
  text: string,
  { server, hint }: { server: string; hint: string | undefined },
): CliError {
  const problem = parsed(text, 'application/json') as ProblemBody | string | undefined;
  if (typeof problem !== 'object' || problem.code === undefined)
    return new CliError(exitCodeOf(status), `${server} answered ${status}`);
  const fields = (problem.errors ?? [])
    .map(({ pointer, message }) => `\n  ${pointer || '(whole)'}: ${message}`)
    .join('');
  return new CliError(
    exitCodeOf(status),
    `${problem.detail ?? problem.title} (${problem.code})${fields}`,
    hint,
    problem,
  );
}

function parsed(text: string, type: string | null): unknown {
  if (type?.includes('json') !== true) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text; // something in between answered, not our server
  }
}

/** Why a server could not be asked, with what usually helps. */
export function unreachable(server: string, error: unknown): CliError {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const code = (cause as { code?: string }).code ?? (cause instanceof Error ? cause.message : String(cause));
  return new CliError(EXIT.failed, `${server} cannot be reached (${code})`, 'npm start, or --server <url>');
}
