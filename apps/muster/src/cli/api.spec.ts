import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Api } from './api.js';
import { CliError, EXIT } from './exit-codes.js';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let server: Server;
let handler: Handler;
let seen: IncomingMessage[];
let api: Api;

beforeAll(async () => {
  server = createServer((request, response) => {
    seen.push(request);
    handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  api = new Api({ server: `http://127.0.0.1:${port}`, token: 'secret', signal: new AbortController().signal });
});
beforeEach(() => (seen = []));
afterAll(() => new Promise((resolve) => server.close(resolve)));

const json =
  (status: number, body: object, headers: Record<string, string> = {}): Handler =>
  (_, response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));

async function failure(work: Promise<unknown>): Promise<CliError> {
  const outcome: unknown = await work.catch((error: unknown) => error);
  if (outcome instanceof CliError) return outcome;
  throw new Error(`no refusal: ${String(outcome)}`);
}

describe('calls of the server', () => {
  it.each([
    [401, EXIT.auth],
    [403, EXIT.auth],
    [404, EXIT.notFound],
    [409, EXIT.conflict],
    [412, EXIT.conflict],
    [428, EXIT.conflict],
    [422, EXIT.failed],
    [503, EXIT.failed],
  ])('turn %i into exit code %i', async (status, exitCode) => {
    handler = json(status, { code: 'thing.refused', detail: 'no', errors: [{ pointer: '/name', message: 'bad' }] });
    const { exitCode: got, message } = await failure(api.get('/v1/things'));
    expect(got).toBe(exitCode);
    expect(message).toBe('no (thing.refused)\n  /name: bad');
  });

  it('say what to do when nobody answers', async () => {
    const nobody = new Api({ server: 'http://127.0.0.1:1', signal: new AbortController().signal });
    const { exitCode, hint } = await failure(nobody.get('/'));
    expect([exitCode, hint]).toEqual([EXIT.failed, 'npm start, or --server <url>']);
  });

  it('carry the token, and on POST a key of their own', async () => {
    handler = json(201, {});
    await api.post('/v1/things', {});
    await api.post('/v1/things', {});
    const keys = seen.map(({ headers }) => headers['idempotency-key']);
    expect(seen[0]?.headers.authorization).toBe('Bearer secret');
    expect(new Set(keys).size).toBe(2);
  });

  it('change a resource under the ETag that it was read with', async () => {
    handler = json(200, {}, { etag: '"v7"' });
    await api.change('POST', '/v1/campaigns/1', '/v1/campaigns/1/pause', {});
    expect(seen.map(({ method }) => method)).toEqual(['GET', 'POST']);
    expect(seen[1]?.headers['if-match']).toBe('"v7"');
  });

  it('walk the pages of a list, and stop at the limit', async () => {
    handler = ({ url = '' }, response) => {
      const second = url.includes('cursor=next');
      json(200, second ? { items: [3, 4], next: null } : { items: [1, 2], next: 'next' })(seen[0]!, response);
    };
    expect(await api.list<number>('/v1/things')).toEqual([1, 2, 3, 4]);
    expect(await api.list<number>('/v1/things', 2)).toEqual([1, 2]);
  });

  it('read server-sent events however they are cut', async () => {
    const text = ': hello\n\nid: p1\nevent: A\ndata: {"n":1}\n\nid: p2\nevent: B\ndata: {"n":\ndata: 2}\n\n';
    handler = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (const part of text.match(/[^]{1,7}/g) ?? []) response.write(part);
      response.end();
    };
    const events = [];
    for await (const event of api.stream('/v1/live')) events.push(event);
    expect(events).toEqual([
      { id: 'p1', event: 'A', data: { n: 1 } },
      { id: 'p2', event: 'B', data: { n: 2 } },
    ]);
  });
});
