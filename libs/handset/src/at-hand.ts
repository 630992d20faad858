import {
  type AvailableContent,
  type ContentRequests,
  type OfferRef,
  type RequestAnswer,
} from '#device-protocol/index.js';
import { readBody } from './device-api.js';
import { type HttpAnswer, type HttpRequest, type Transport } from './ports.js';
import { parseJson } from './store.js';

/** By content id: what came with the last answer, and has not been taken yet. */
export type AtHand = Map<string, AvailableContent>;

/**
 * A transport that need not ask for what is at hand: a grant that came with the answer, or the content itself. Whoever
 * uses it asks, checks and keeps as if it had gone to the server; what is not at hand goes there.
 */
export function answersAtHand(transport: Transport, atHand: AtHand): Transport {
  return {
    send: async (request) => {
      if (request.url === '/d/v1/requests') return requested(transport, request, atHand);
      return takeContent(request, atHand) ?? transport.send(request);
    },
    close: () => transport.close(),
  };
}

async function requested(transport: Transport, request: HttpRequest, atHand: AtHand): Promise<HttpAnswer> {
  const asked = JSON.parse(request.body ?? '{}') as ContentRequests;
  const here = asked.requests.flatMap((ref) => grantAtHand(ref, atHand) ?? []);
  if (here.length === 0) return transport.send(request);
  const isHere = (ref: OfferRef) => here.some(({ contentId }) => contentId === ref.contentId);
  const others = asked.requests.filter((ref) => !isHere(ref));
  if (others.length === 0) return jsonAnswer({ answers: here });
  const answer = await transport.send({ ...request, body: JSON.stringify({ ...asked, requests: others }) });
  if (answer.status !== 200) return answer;
  const told = parseJson(await readBody(answer)) as { answers?: readonly RequestAnswer[] } | undefined;
  return jsonAnswer({ answers: [...here, ...(told?.answers ?? [])] });
}

function grantAtHand({ contentId, campaignId }: OfferRef, atHand: AtHand): RequestAnswer | undefined {
  const content = atHand.get(contentId);
  if (content?.campaignId !== campaignId || content.transmitted === undefined) return undefined;
  const { sizeBytes, sha256, transmitted } = content;
  const { grant, url, bytes } = transmitted;
  if (bytes === undefined) atHand.delete(contentId); // once: a grant that is asked for again has expired
  return { contentId, campaignId, grant, url, sizeBytes, sha256 };
}

/** The whole, once; a part is asked for at the server. */
function takeContent({ method, url, headers }: HttpRequest, atHand: AtHand): HttpAnswer | undefined {
  if (method !== 'GET' || headers?.range !== undefined) return undefined;
  const content = [...atHand.values()].find(({ transmitted }) => transmitted?.url === url);
  if (content?.transmitted?.bytes === undefined) return undefined;
  atHand.delete(content.contentId);
  return answerOf(Buffer.from(content.transmitted.bytes, 'base64'), { etag: `"${content.sha256}"` });
}

const jsonAnswer = (value: object): HttpAnswer => answerOf(Buffer.from(JSON.stringify(value)));

const answerOf = (bytes: Uint8Array, headers: Record<string, string> = {}): HttpAnswer => ({
  status: 200,
  headers,
  body: (async function* () {
    yield bytes;
  })(),
  discard: () => undefined,
});
