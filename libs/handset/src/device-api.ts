import {
  type ContentRequests,
  type ContentRequestsAnswer,
  type Declines,
  type DeviceFact,
  type FactBatchAnswer,
  type Inbox,
  LIMITS,
} from '#device-protocol/index.js';
import { type Clock } from '#runtime/index.js';
import { retryAfterMs } from './backoff.js';
import { HandsetError } from './errors.js';
import { type HttpAnswer, type HttpRequest, type Transport } from './ports.js';
import { hasFields, parseJson } from './store.js';

/** Answers of the device's routes that the server computes: none is larger. */
const ANSWER_BYTES = 1_048_576;

/** The device's own routes, each a typed call. All may be repeated: the server drops what it has. */
export interface DeviceApi {
  request(requests: ContentRequests): Promise<ContentRequestsAnswer>;
  decline(declines: Declines): Promise<void>;
  facts(facts: readonly DeviceFact[]): Promise<FactBatchAnswer['accepted']>;
  /** @returns undefined when it is still the one of `etag` */
  inbox(etag: string | undefined): Promise<{ inbox: Inbox; etag: string | undefined } | undefined>;
}

export function deviceApi(transport: Transport, clock: Clock): DeviceApi {
  const post = (url: string, value: unknown) =>
    exchange(transport, clock, { method: 'POST', url, body: JSON.stringify(value), maxBytes: ANSWER_BYTES });
  return {
    request: async (requests) => {
      const answer = await jsonOf(await post('/d/v1/requests', requests));
      if (!hasList<'answers', ContentRequestsAnswer>(answer, 'answers')) throw malformed('/d/v1/requests');
      return answer;
    },
    decline: async (declines) => (await post('/d/v1/declines', declines)).discard(),
    facts: async (facts) => {
      const answer = await jsonOf(await post('/d/v1/facts', { facts }));
      if (!isAccepted(answer)) throw malformed('/d/v1/facts');
      return answer.accepted;
    },
    inbox: async (etag) => {
      const headers = etag === undefined ? undefined : { 'if-none-match': etag };
      const wanted = { method: 'GET', url: '/d/v1/inbox', headers, maxBytes: ANSWER_BYTES } as const;
      const answer = await exchange(transport, clock, wanted);
      if (answer.status === 304) return (answer.discard(), undefined);
      const inbox = await jsonOf(answer);
      if (!hasList<'items', Inbox>(inbox, 'items')) throw malformed('/d/v1/inbox');
      return { inbox, etag: answer.headers.etag };
    },
  };
}

/**
 * One exchange that ends in 2xx or 304.
 * @throws HandsetError `server.busy` (429, 503: `retryAfterMs`), `server.refused` (the problem's code), `transport.*`
 */
export async function exchange(transport: Transport, clock: Clock, request: HttpRequest): Promise<HttpAnswer> {
  const answer = await transport.send(request);
  await refuseFailure(answer, clock);
  return answer;
}

export async function refuseFailure(answer: HttpAnswer, clock: Clock): Promise<void> {
  const { status, headers } = answer;
  if ((status >= 200 && status < 300) || status === 304) return;
  const problem = parseJson(await readBody(answer).catch(() => undefined));
  const code = hasFields(problem, 'code') ? String(problem.code) : undefined;
  const retryAfter = retryAfterMs(headers['retry-after'], clock.now());
  if (status === 429 || status === 503) throw new HandsetError('server.busy', { status, retryAfterMs: retryAfter });
  throw new HandsetError('server.refused', { status, code, retryAfterMs: retryAfter }, code ?? `HTTP ${status}`);
}

/** The whole body; its size is already capped by the request. */
export async function readBody(answer: HttpAnswer): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The JSON body, or undefined when it is none: the caller's check refuses both alike. */
export const jsonOf = async (answer: HttpAnswer): Promise<unknown> => parseJson(await readBody(answer));

const malformed = (url: string): HandsetError => new HandsetError('server.malformed', { url });

const hasList = <K extends string, T extends { [key in K]: readonly unknown[] }>(value: unknown, key: K): value is T =>
  hasFields(value, key) && Array.isArray(value[key]);

function isAccepted(value: unknown): value is FactBatchAnswer {
  return hasFields(value, 'accepted') && hasFields(value.accepted, 'epoch', 'n');
}

/** At most so many facts and bytes a batch, below the server's limit for the body. */
export const FACT_BATCH = { facts: LIMITS.factsPerBatch, bytes: LIMITS.factsBody - 1_024 } as const;
